"""Faulty models in other runtimes: do they decide as onnxruntime does?"""

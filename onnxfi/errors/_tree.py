"""The exception tree: everything that onnxfi raises on purpose.

::

    OnnxFIError
    ├── ConfigError               a setting or an option is wrong
    ├── ModelError                the model can't be read or is not valid ONNX
    │   └── UnsupportedModelError the model is valid, but onnxfi or the runtime can't take it
    ├── WorkloadError             inputs or labels don't fit the model
    ├── FaultError                a fault names a site, element or bit that doesn't exist
    │   └── FaultListError        a fault list file is wrong (message has file and line)
    ├── RewriteError              an edit of the graph would change what it must not touch
    ├── BackendError              onnxruntime or a provider refused
    ├── GoldenError               the fault-free run is unusable or not reproducible
    ├── CampaignError             a campaign folder can't be used as asked
    │   ├── CampaignExistsError   the folder holds something already
    │   ├── CampaignMismatchError the folder holds another experiment
    │   ├── CampaignLockedError   another process is running it
    │   └── StoreError            the result store is damaged or of another version
    └── MissingExtraError         an optional dependency is not installed

A message says what, where, got, expected, and the next step. What a *fault* does to the network
is data (a ``due`` sample), never an exception.
"""


class OnnxFIError(Exception):
    """Base of all errors that onnxfi raises on purpose; its text is shown to the user as it is."""


class ConfigError(OnnxFIError):
    """A setting, option or argument is wrong or contradicts another."""


class ModelError(OnnxFIError):
    """The model can't be read, is not valid ONNX, or exceeds a cap for untrusted models."""


class UnsupportedModelError(ModelError):
    """The model is valid ONNX, but something in it can't be handled here."""


class WorkloadError(OnnxFIError):
    """Inputs or labels are missing, unreadable, or don't fit the model."""


class FaultError(OnnxFIError):
    """A fault names a site, an element or a bit that doesn't exist, or can't be carried out."""


class FaultListError(FaultError):
    """A fault list file is malformed or was made for another model."""


class RewriteError(OnnxFIError):
    """A graph edit can't be done, or would change a part that it must not touch."""


class BackendError(OnnxFIError):
    """onnxruntime, or one of its execution providers, refused."""


class GoldenError(OnnxFIError):
    """The fault-free run is unusable: it raised, is not reproducible, or has no decision."""


class CampaignError(OnnxFIError):
    """A campaign folder can't be used as asked."""


class CampaignExistsError(CampaignError):
    """The folder already holds something that must not be overwritten."""


class CampaignMismatchError(CampaignError):
    """The folder holds another experiment; the message says what differs."""


class CampaignLockedError(CampaignError):
    """Another process is running this campaign."""


class StoreError(CampaignError):
    """The result store is damaged or was written by another format version."""


class MissingExtraError(OnnxFIError):
    """An optional dependency is needed; the message names the extra to install."""

"""Narrow and cropped runs: some channels or places of a convolution are those of the whole."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.engine import open_workload
from onnxfi.engine.cut import ArmedLate, Frame, LateStart, PartChain, crop, propagate
from onnxfi.engine.executable import Narrow, Opening, TensorChange, open_executable
from onnxfi.engine.runtime import Watchdog
from onnxfi.engine.study import windows
from onnxfi.graph import load
from onnxfi.inject import BatchWindow

SIZE = 5
WINDOW = BatchWindow(start=0, stop=SIZE, size=SIZE)


@pytest.fixture(scope="module")
def watchdog():
    made = Watchdog()
    yield made
    made.close()


@pytest.fixture(scope="module")
def late_of(models, prepare, watchdog):
    """ResNet-8 with all weights and biases, and the outputs of some operators, open."""

    def make(*operators):
        model = load(models / "resnet8_fashion_fp32.onnx")
        workload = open_workload(model, models / "fashion_test1000.npz").take(3 * SIZE)
        context = prepare(model, workload, output="logits", batch_size=SIZE).context
        computed = tuple(site for site in context.sites if site.op_type in operators)
        computed = tuple(site for site in computed if not site.kind.stored)
        mapped = tuple(site for site in context.sites if site.kind.stored)
        opening = Opening(computed=computed, mapped=mapped)
        return LateStart(context, open_executable(context, opening, watchdog), watchdog)

    return make


@pytest.fixture(scope="module")
def resnet(late_of):
    late = late_of()
    if not late.narrow.candidates:
        pytest.skip("onnxruntime has no blocked convolutions on this machine")
    return late


def _faulty(late, initializer, at, bit=30):
    words = late.lifted.feeds[initializer].reshape(-1).view(np.uint32)
    position = np.array([at], np.int64)
    return TensorChange(
        initializer=initializer, position=position, words=words[position] ^ np.uint32(1 << bit)
    )


def test_every_convolution_of_the_network_can_run_narrow(resnet):
    convolutions = [
        node
        for node in resnet.graph.model.index.nodes
        if (node.domain, node.op_type) == ("com.microsoft.nchwc", "Conv")
    ]
    assert len(resnet.narrow) == len(convolutions) == 9
    assert {narrow.channels for narrow in resnet.narrow.values()} == {16, 32, 64}
    assert any(narrow.summed for narrow in resnet.narrow.values()), "with a residual added"


def test_every_block_is_that_of_the_whole(resnet):
    """With the filter as it is and with faults in the block, all samples and some of them."""
    chain, rng = resnet.chain, np.random.default_rng(1)
    for window in windows(3 * SIZE, SIZE, None)[::2]:
        values = resnet.clean.of(window, {})
        for position, narrow in resnet.narrow.items():
            reads = {name: values[name] for name in chain.parts[position].reads}
            each = resnet.lifted.feeds[narrow.filter].size // narrow.channels
            for low in range(0, narrow.channels, narrow.block):
                channels = slice(low, low + narrow.block)
                at = int(rng.integers(low * each, (low + narrow.block) * each))
                change = _faulty(resnet, narrow.filter, at, bit=int(rng.integers(32)))
                assert narrow.touched([change], each * narrow.channels) in (channels, None)
                with resnet.lifted.armed([change]):
                    whole = chain.run(position, reads, resnet.loose)[narrow.made]
                    feeds = narrow.feeds(
                        reads, [narrow.slices(resnet.lifted.feeds, channels)], [channels]
                    )
                    found = chain.run_narrow(position, narrow, feeds)
                assert found.tobytes() == whole[:, channels].tobytes()
                # And nothing of the fault is seen in the other channels.
                rest = [k for k in range(narrow.channels) if not low <= k < low + narrow.block]
                assert whole[:, rest].tobytes() == values[narrow.made][:, rest].tobytes()


def test_several_blocks_at_once(resnet):
    chain, values = resnet.chain, resnet.clean.of(WINDOW, {})
    position, narrow = next((k, n) for k, n in resnet.narrow.items() if n.channels == 64)
    reads = {name: values[name] for name in chain.parts[position].reads}
    for low, high in itertools.combinations(range(0, 65, narrow.block), 2):
        channels = slice(low, high)
        feeds = narrow.feeds(reads, [narrow.slices(resnet.lifted.feeds, channels)], [channels])
        found = chain.run_narrow(position, narrow, feeds)
        assert found.tobytes() == values[narrow.made][:, low:high].tobytes()


def test_blocks_of_several_scenarios_one_behind_the_other(resnet):
    """Twice the same block with other faults among them: each is what it is alone."""
    chain, values = resnet.chain, resnet.clean.of(WINDOW, {})
    for position, narrow in resnet.narrow.items():
        reads = {name: values[name] for name in chain.parts[position].reads}
        each = resnet.lifted.feeds[narrow.filter].size // narrow.channels
        wanted, slices, channels = [], [], []
        for low in (0, narrow.channels - narrow.block, 0):
            mine = slice(low, low + narrow.block)
            change = _faulty(resnet, narrow.filter, low * each + len(channels))
            with resnet.lifted.armed([change]):
                whole = chain.run(position, reads, resnet.loose)[narrow.made]
                held = narrow.slices(resnet.lifted.feeds, mine)
                slices.append({name: part.copy() for name, part in held.items()})
            wanted.append(whole[:, mine])
            channels.append(mine)
        found = chain.run_narrow(position, narrow, narrow.feeds(reads, slices, channels))
        assert found.tobytes() == np.concatenate(wanted, axis=1).tobytes()


def _example(channels, block):
    return Narrow(filter="f", lifted=("f",), summed=None, made="m", channels=channels, block=block)


@given(
    st.sampled_from([(64, 16), (32, 16), (16, 8), (64, 8)]),
    st.integers(1, 30),
    st.lists(st.lists(st.floats(0, 0.999), max_size=4), min_size=1, max_size=3),
)
def test_touched_channels_are_whole_blocks_around_all_changes(shape, each, parts):
    channels, block = shape
    size = channels * each
    changes = [
        TensorChange(
            initializer="f",
            position=np.array([int(share * size) for share in part], np.int64),
            words=np.zeros(len(part), np.uint32),
        )
        for part in parts
    ]
    # In a filter of blocks, those of a block of channels lie together.
    blocks = {at // (each * block) for change in changes for at in change.position.tolist()}
    found = _example(channels, block).touched(changes, size)
    if not blocks:
        assert found is None
        return
    low, high = min(blocks) * block, (max(blocks) + 1) * block
    expected = slice(low, high) if 2 * (high - low) <= channels else None
    assert found == expected


def _spied(monkeypatch, name):
    ran, real = [], getattr(PartChain, name)

    def run(self, position, *args, **kwargs):
        ran.append(position)
        return real(self, position, *args, **kwargs)

    monkeypatch.setattr(PartChain, name, run)
    return ran


def _weights(late):
    """A stored site in a convolution with many channels, and the part that reads it."""
    for name, (image, *_) in late.graph.images.items():
        for position, narrow in late.narrow.items():
            if image.initializer == narrow.filter and narrow.channels == 64:
                return name, position
    raise AssertionError("no such site")


def test_faults_in_few_channels_run_narrow(resnet, scenario, monkeypatch):
    site, position = _weights(resnet)
    each = resnet.sites[site].layout.elements // 64
    narrow, whole = _spied(monkeypatch, "run_narrow"), _spied(monkeypatch, "run")
    for flips, wanted in (
        ([(site, 3 * each, 30)], True),
        ([(site, 3 * each, 30), (site, 9 * each, 2)], True),
        ([(site, 0, 30), (site, 63 * each, 2)], False),  # too many between them
    ):
        armed = ArmedLate(resnet, scenario(*flips))
        armed.faulty(WINDOW, False)  # sizes of runs are proven before runs are counted
        narrow.clear()
        whole.clear()
        found = armed.faulty(WINDOW, False)
        assert (position in narrow) is wanted
        assert (position in whole) is not wanted
        monkeypatch.setattr(armed, "_narrow", {})
        again = armed.faulty(WINDOW, False)
        assert {k: v.tobytes() for k, v in found.items()} == {
            k: v.tobytes() for k, v in again.items()
        }
        assert found["logits"].tobytes() != armed.golden(WINDOW)["logits"].tobytes()


def test_a_changed_bias_runs_whole(resnet, scenario, monkeypatch):
    """A narrow run is one of the filter."""
    site, position = _weights(resnet)
    bias = next(
        name
        for name, (image, *_) in resnet.graph.images.items()
        if image.initializer == resnet.narrow[position].lifted[1]
    )
    narrow = _spied(monkeypatch, "run_narrow")
    ArmedLate(resnet, scenario((site, 0, 30), (bias, 0, 30))).faulty(WINDOW, False)
    ArmedLate(resnet, scenario((bias, 0, 30))).faulty(WINDOW, False)
    assert position not in narrow


def test_a_part_that_gives_other_bits_is_not_run_narrow(late_of, monkeypatch):
    late, real = late_of(), PartChain.run_narrow
    if not late.narrow.candidates:
        pytest.skip("onnxruntime has no blocked convolutions on this machine")
    before = late.narrow.candidates
    doubted = sorted(before)[2]

    def run(self, position, narrow, feeds, *, hurried=False):
        found = real(self, position, narrow, feeds, hurried=hurried)
        if position == doubted:
            found = found.copy()
            found.reshape(-1).view(np.uint32)[-1] ^= 1
        return found

    monkeypatch.setattr(PartChain, "run_narrow", run)
    assert set(late.narrow) == set(before) - {doubted}


@pytest.fixture(scope="module")
def images(late_of):
    """Open where convolutions end, activations included, so that they read each other's images."""
    late = late_of("Relu")
    found = set(late.cropped.candidates)
    if not found:
        pytest.skip("no convolution reads an image of another one on this machine")
    assert set(late.cropped) == found, "a crop gives the bits of the whole"
    return late


def test_crops_are_those_of_the_whole(images):
    values, rng = images.clean.of(WINDOW, {}), np.random.default_rng(3)
    for position, cropped in images.cropped.items():
        height, width = values[cropped.made].shape[2:]
        for tall, wide, together in ((1, 1, 5), (3, 2, 1), (2, 4, 7)):
            samples = np.sort(rng.integers(0, SIZE, 20))
            tall, wide = min(tall, height), min(wide, width)
            places = -(-20 // together)
            frame = Frame(
                top=np.repeat(rng.integers(0, height - tall + 1, places), together)[:20],
                left=np.repeat(rng.integers(0, width - wide + 1, places), together)[:20],
                height=tall,
                width=wide,
            )
            feeds = cropped.feeds(samples, frame, {}, {}, values)
            found = images.chain.run_cropped(position, feeds)
            clean = crop(values[cropped.made], cropped.block, samples, frame)
            assert found.tobytes() == clean.tobytes()


@pytest.mark.parametrize("count", [1, 40])
def test_faults_in_one_place_run_on_crops(images, scenario, monkeypatch, count):
    """With many in company and alone, they give what whole images give."""
    rng = np.random.default_rng(4)
    sites = [s for s in images.graph.places if images.graph.places[s].block is not None]
    flips = [
        scenario((site, int(rng.integers(images.sites[site].layout.elements)), int(bit)))
        for site in sites
        for bit in rng.integers(0, 32, count)
    ]
    armed = [ArmedLate(images, each) for each in flips]
    common = armed[0].common(WINDOW)
    ran = _spied(monkeypatch, "run_cropped")
    found = propagate(common, [each.start(WINDOW) for each in armed])
    assert set(ran)
    whole = replace(common, cropped={})
    for k, each in enumerate(armed):
        expected = propagate(whole, [each.start(WINDOW)]).outputs(0)
        for name, value in found.outputs(k).items():
            assert value.tobytes() == expected[name].tobytes()


def test_integer_convolutions_are_narrow_too(models, prepare, closing, scenario):
    """Channels last, with scales, zero points and biases of all channels cut along."""
    model = load(models / "resnet8_fashion_int8_qdq.onnx")
    workload = open_workload(model, models / "fashion_test1000.npz").take(6)
    prepared = prepare(model, workload, output="logits", batch_size=6)
    names = [n for n in prepared.sites if n.endswith("weight_quantized")]
    cut, lift = (closing(prepared.engine(engine, *names)) for engine in ("cut", "lift"))
    late = cut.routes.late(cut.routes.route(names[:1]))
    assert len(late.narrow) > 6
    narrow = next(iter(late.narrow.values()))
    assert (narrow.axis, narrow.block) == (3, 1)
    assert len(narrow.lifted) == 4
    for name in names:
        faults = scenario((name, 5, 6))
        counts = cut.run(faults).counts
        assert counts == lift.run(faults).counts

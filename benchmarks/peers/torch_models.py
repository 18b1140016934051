"""PyTorch on the networks of workload.h: eager, TorchScript (frozen), and torch.compile.

Parameters have the names that Tandem's blocks give them.
"""

import contextlib
import copy
import os
import time

import numpy as np

with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
    if " avx512f " in cpuinfo.read():
        # By default some kernels keep to AVX2.
        os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx512")

import torch  # pylint: disable=wrong-import-position
from torch import nn
from torch.nn import functional as F

import safetensors

LEARNING_RATE = 0.1
# Calls before the first measurement: TorchScript specializes itself in them.
SETTLING_CALLS = 10


class Mlp(nn.Module):

    def __init__(self):
        super().__init__()
        self.dense0 = nn.Linear(512, 256)
        self.dense1 = nn.Linear(256, 128)
        self.dense2 = nn.Linear(128, 2)

    def forward(self, x):
        return self.dense2(F.relu(self.dense1(F.relu(self.dense0(x)))))


class LeNet(nn.Module):

    def __init__(self):
        super().__init__()
        self.features = nn.ModuleDict({"conv2d0": nn.Conv2d(1, 6, 5),
                                       "conv2d1": nn.Conv2d(6, 16, 5)})
        self.fc1 = nn.Linear(256, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3_weight = nn.Parameter(torch.empty(10, 84))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.features["conv2d0"](x)), 2)
        x = F.max_pool2d(F.relu(self.features["conv2d1"](x)), 2)
        x = F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))
        return F.linear(x, self.fc3_weight)


class BasicBlock(nn.Module):

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.around = None
        if stride != 1 or in_channels != channels:
            self.around = nn.Sequential()
            self.around.add_module("conv", nn.Conv2d(in_channels, channels, 1, stride, bias=False))
            self.around.add_module("bn", nn.BatchNorm2d(channels))

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        h = self.bn2(self.conv2(h))
        h += x if self.around is None else self.around(x)
        return F.relu(h, inplace=True)


class ResNet18(nn.Module):

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.stages = nn.Sequential()
        in_channels = 64
        for channels in (64, 128, 256, 512):
            for part in "ab":
                stride = 2 if part == "a" and channels > 64 else 1
                self.stages.add_module(f"stage{channels}{part}",
                                       BasicBlock(in_channels, channels, stride))
                in_channels = channels
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        return self.fc(F.adaptive_avg_pool2d(self.stages(x), 1).flatten(1))


class Attention(nn.Module):

    def __init__(self, units, heads):
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(units, 3 * units)
        self.out_proj = nn.Linear(units, units)

    def forward(self, x):
        batch, sequence, units = x.shape
        q, k, v = (t.view(batch, sequence, self.heads, units // self.heads).transpose(1, 2)
                   for t in self.in_proj(x).chunk(3, 2))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, sequence, units))


class TransformerBlock(nn.Module):

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(256)
        self.attention = Attention(256, 4)
        self.norm2 = nn.LayerNorm(256)
        self.ffn1 = nn.Linear(256, 1024)
        self.ffn2 = nn.Linear(1024, 256)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.ffn2(F.gelu(self.ffn1(self.norm2(x))))


class CheapOps(nn.Module):
    """As in workload.cc."""

    def forward(self, x):
        x = torch.abs(x * 1.5 + 0.25) * 0.75 - 0.5
        return -torch.square(torch.relu(x) * 1.25 + 1.0)


class MixedOps(nn.Module):

    def forward(self, x):
        x = torch.sqrt(torch.tanh(x * 0.5) + 1.5) * 2.0
        return -torch.square(torch.sigmoid(torch.exp(x) - 1.0))


class CheapOpsInPlace(nn.Module):
    """The same in one buffer: what PyTorch does best without a compiler."""

    def forward(self, x):
        y = x * 1.5
        y.add_(0.25).abs_().mul_(0.75).sub_(0.5)
        return y.relu_().mul_(1.25).add_(1.0).square_().neg_()


class MixedOpsInPlace(nn.Module):

    def forward(self, x):
        y = x * 0.5
        y.tanh_().add_(1.5).sqrt_().mul_(2.0)
        return y.exp_().sub_(1.0).sigmoid_().square_().neg_()


NETWORKS = {
    "mlp": Mlp,
    "lenet": LeNet,
    "resnet18": ResNet18,
    "transformer": TransformerBlock,
    "cheap": CheapOps,
    "mixed": MixedOps,
}
IN_PLACE = {"cheap": CheapOpsInPlace, "mixed": MixedOpsInPlace}


def tandem_name(name):
    """The name of a parameter of a module here in Tandem's files."""
    path, _, leaf = name.rpartition(".")
    if path.split(".")[-1].startswith(("bn", "norm")):
        leaf = {"weight": "gamma", "bias": "beta"}.get(leaf, leaf)
    return f"{path}.{leaf}" if path else leaf


def named_tensors(net):
    state = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return {tandem_name(name): tensor for name, tensor in state.items()
            if not name.endswith("num_batches_tracked")}


def load_weights(net, folder):
    weights = safetensors.read(f"{folder}/weights.safetensors")
    tensors = named_tensors(net)
    if set(weights) != set(tensors):
        raise ValueError(f"parameters differ: {sorted(set(weights) ^ set(tensors))}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(weights[name]))


def fastest(calls):
    """The one of several ways to do the same that is fastest on this machine."""
    best, best_seconds = None, float("inf")
    for call in calls:
        for _ in range(SETTLING_CALLS):
            call()
        seconds = []
        for _ in range(SETTLING_CALLS):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        if min(seconds) < best_seconds:
            best, best_seconds = call, min(seconds)
    return best


class PyTorch:
    """What the three systems have in common."""

    def __init__(self):
        self.version = torch.__version__
        self.modes = contextlib.ExitStack()
        torch.set_num_interop_threads(1)

    def load(self, net, batch, threads, folder):
        del batch  # the input has it
        torch.set_num_threads(threads)
        self.modes.close()
        inputs = {name: torch.from_numpy(values)
                  for name, values in safetensors.read(f"{folder}/inputs.safetensors").items()}
        training = net.endswith("-train")
        name = net[:-len("-train")] if training else net
        if name not in NETWORKS:
            raise NotImplementedError(f"no network {net}")
        module = self.network(name)
        load_weights(module, folder)
        if training:
            call = self.training_step(module, inputs["x"], inputs["labels"])
            call()
            results = {key: tensor.detach() for key, tensor in named_tensors(module).items()}
        else:
            module.eval()
            # For all calls at once: entering it takes microseconds.
            self.modes.enter_context(torch.inference_mode())
            call = self.inference(module, inputs["x"])
            results = {"y": call()}
        safetensors.write(f"{folder}/actual.safetensors",
                          {key: np.asarray(tensor) for key, tensor in results.items()})
        for _ in range(SETTLING_CALLS):
            call()
        return call

    def network(self, name):
        return NETWORKS[name]()

    def inference(self, module, x):
        """A function of nothing that gives module(x)."""
        raise NotImplementedError

    def training_step(self, module, x, labels):
        optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE)

        def step():
            loss = F.cross_entropy(module(x), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            return loss

        return step


class Eager(PyTorch):

    def network(self, name):
        return IN_PLACE.get(name, NETWORKS[name])()

    def inference(self, module, x):
        if not any(isinstance(part, nn.Conv2d) for part in module.modules()):
            return lambda: module(x)
        # Convolutions may be faster in the other layout.
        last = copy.deepcopy(module).to(memory_format=torch.channels_last)
        x_last = x.to(memory_format=torch.channels_last)
        return fastest([lambda: module(x), lambda: last(x_last)])


class TorchScript(PyTorch):

    def inference(self, module, x):
        frozen = torch.jit.freeze(torch.jit.trace(module, x))
        module = torch.jit.optimize_for_inference(frozen)
        return lambda: module(x)

    def training_step(self, module, x, labels):
        raise NotImplementedError("a frozen module is not trained")


class Compiled(PyTorch):

    def inference(self, module, x):
        torch._dynamo.reset()
        torch._inductor.config.freezing = True
        compiled = torch.compile(module)

        return lambda: compiled(x)

    def training_step(self, module, x, labels):
        torch._dynamo.reset()
        torch._inductor.config.freezing = False
        return super().training_step(torch.compile(module), x, labels)


SYSTEMS = {"pytorch-eager": Eager, "torchscript-frozen": TorchScript, "pytorch-compile": Compiled}

"""ONNX Runtime on the networks of workload.h, as ONNX graphs written op by op."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import safetensors

OPSET = 20  # the first with Gelu
SETTLING_CALLS = 10


class Graph:
    """Builds a graph: g("Relu", x) adds a node and returns the name of its output."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.constants = [], []

    def __call__(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def weight(self, name, transpose=False):
        value = self.weights[name]
        return self.constant(np.ascontiguousarray(value.T) if transpose else value)

    def dense(self, x, name):
        """Of a matrix."""
        return self("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
                    transB=1)

    def dense_last(self, x, name):
        """Along the last axis."""
        product = self("MatMul", x, self.weight(f"{name}.weight", transpose=True))
        return self("Add", product, self.weight(f"{name}.bias"))

    def conv(self, x, name, stride=1, padding=0, bias=False):
        inputs = [x, self.weight(f"{name}.weight")]
        if bias:
            inputs.append(self.weight(f"{name}.bias"))
        return self("Conv", *inputs, strides=[stride] * 2, pads=[padding] * 4)

    def batch_norm(self, x, name):
        return self("BatchNormalization", x, *(self.weight(f"{name}.{part}") for part in
                                               ("gamma", "beta", "running_mean", "running_var")),
                    epsilon=1e-5)

    def layer_norm(self, x, name):
        return self("LayerNormalization", x, self.weight(f"{name}.gamma"),
                    self.weight(f"{name}.beta"), axis=-1, epsilon=1e-5)

    def model(self, x_shape, y, y_shape):
        graph = helper.make_graph(
            self.nodes, "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, y_shape)], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                 ir_version=10)


def mlp(g, x):
    x = g("Relu", g.dense(x, "dense0"))
    return g.dense(g("Relu", g.dense(x, "dense1")), "dense2")


def lenet(g, x):
    for i in range(2):
        x = g("Relu", g.conv(x, f"features.conv2d{i}", bias=True))
        x = g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g("Flatten", x)
    x = g("Relu", g.dense(g("Relu", g.dense(x, "fc1")), "fc2"))
    return g("MatMul", x, g.weight("fc3_weight", transpose=True))


def basic_block(g, x, name, stride, project):
    h = g("Relu", g.batch_norm(g.conv(x, f"{name}.conv1", stride, 1), f"{name}.bn1"))
    h = g.batch_norm(g.conv(h, f"{name}.conv2", 1, 1), f"{name}.bn2")
    if project:
        x = g.batch_norm(g.conv(x, f"{name}.around.conv", stride), f"{name}.around.bn")
    return g("Relu", g("Add", h, x))


def resnet18(g, x):
    x = g("Relu", g.batch_norm(g.conv(x, "conv1", 2, 3), "bn1"))
    x = g("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for channels in (64, 128, 256, 512):
        first = channels > 64
        x = basic_block(g, x, f"stages.stage{channels}a", 2 if first else 1, first)
        x = basic_block(g, x, f"stages.stage{channels}b", 1, False)
    return g.dense(g("Flatten", g("GlobalAveragePool", x)), "fc")


def transformer(g, x):
    units, heads = 256, 4
    h = g.dense_last(g.layer_norm(x, "norm1"), "attention.in_proj")
    parts = g("Split", h, g.constant([units] * 3, np.int64), outputs=3, axis=2)
    by_head = g.constant([0, 0, heads, units // heads], np.int64)
    q, k, v = (g("Reshape", part, by_head) for part in parts)
    q, v = (g("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
    k = g("Transpose", k, perm=[0, 2, 3, 1])
    q = g("Mul", q, g.constant((units // heads) ** -0.5))
    mixed = g("MatMul", g("Softmax", g("MatMul", q, k), axis=-1), v)
    mixed = g("Transpose", mixed, perm=[0, 2, 1, 3])
    mixed = g("Reshape", mixed, g.constant([0, 0, units], np.int64))
    x = g("Add", x, g.dense_last(mixed, "attention.out_proj"))
    h = g("Gelu", g.dense_last(g.layer_norm(x, "norm2"), "ffn1"))
    return g("Add", x, g.dense_last(h, "ffn2"))


def cheap(g, x):
    """As in workload.cc."""
    x = g("Add", g("Mul", x, g.constant(1.5)), g.constant(0.25))
    x = g("Sub", g("Mul", g("Abs", x), g.constant(0.75)), g.constant(0.5))
    x = g("Add", g("Mul", g("Relu", x), g.constant(1.25)), g.constant(1.0))
    return g("Neg", g("Mul", x, x))


def mixed_ops(g, x):
    x = g("Add", g("Tanh", g("Mul", x, g.constant(0.5))), g.constant(1.5))
    x = g("Sub", g("Exp", g("Mul", g("Sqrt", x), g.constant(2.0))), g.constant(1.0))
    x = g("Sigmoid", x)
    return g("Neg", g("Mul", x, x))


NETWORKS = {"mlp": mlp, "lenet": lenet, "resnet18": resnet18, "transformer": transformer,
            "cheap": cheap, "mixed": mixed_ops}


class OnnxRuntime:
    """With all optimizations, inputs and outputs bound."""

    def __init__(self):
        self.version = ort.__version__

    def load(self, net, batch, threads, folder):
        del batch  # the input has it
        if net.endswith("-train"):
            raise NotImplementedError("ONNX Runtime's package is for inference")
        if net not in NETWORKS:
            raise NotImplementedError(f"no network {net}")
        x = safetensors.read(f"{folder}/inputs.safetensors")["x"]
        y = np.empty_like(safetensors.read(f"{folder}/expected.safetensors")["y"])
        graph = Graph(safetensors.read(f"{folder}/weights.safetensors"))
        y_name = NETWORKS[net](graph, "x")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = graph.model(x.shape, y_name, y.shape)
        onnx.checker.check_model(model)
        session = ort.InferenceSession(model.SerializeToString(), options,
                                       providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x))
        y_value = ort.OrtValue.ortvalue_from_numpy(y)
        binding.bind_ortvalue_output(y_name, y_value)

        def call():
            session.run_with_iobinding(binding)

        call()
        safetensors.write(f"{folder}/actual.safetensors", {"y": y_value.numpy()})
        for _ in range(SETTLING_CALLS):
            call()
        return call

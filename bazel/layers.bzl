"""The layers of the source tree, and who may use which.

A package of layer L says once, at its top:

    package(default_visibility = ["//bazel:may_use_L"])

so that a target that must not depend on it does not build: "target ... is not
visible from target ...". Targets which are nobody else's business stay
`visibility = ["//visibility:private"]`.

The table below is the whole of it. `may_use` is not transitive: an edge that is not
listed is forbidden. Every layer may use itself. What lies outside of the folders
`core`, `graph`, ... - tests, benchmarks, examples, tools, and the projects of
consumers - may use every layer.

To add a package below a listed folder, such as core/tensor/views: nothing, a layer
has all packages below its folders. To add one beside them, such as core/profile: add
a line here, for until then nobody in the tree can use it, and it can use nothing.
"""

load(":backends.bzl", "BACKENDS")

_CORE = ["base", "device", "tensor", "op", "ops", "dispatch", "autograd"]

_GRAPH = ["ir", "trace", "passes", "exec", "compile"]

def _layer(folders, may_use = [], exact = False):
    suffix = "" if exact else "/..."
    return struct(
        may_use = may_use,
        packages = ["//%s%s" % (folder, suffix) for folder in folders],
    )

_LAYERS = {
    "base": _layer(["core/base"]),
    "device": _layer(["core/device"], ["base"]),
    "tensor": _layer(["core/tensor"], ["base", "device"]),
    "op": _layer(["core/op"], ["base", "device", "tensor"]),
    "ops": _layer(["core/ops"], ["base", "device", "tensor", "op"]),
    "dispatch": _layer(["core/dispatch"], ["base", "device", "tensor", "op"]),
    "autograd": _layer(["core/autograd"], ["base", "device", "tensor", "op", "dispatch"]),
    "ir": _layer(["graph/ir"], _CORE),
    "trace": _layer(["graph/trace"], _CORE + ["ir"]),
    "passes": _layer(["graph/passes"], _CORE + ["ir"]),
    "exec": _layer(["graph/exec"], _CORE + ["ir", "trace"]),
    "compile": _layer(["graph/compile"], _CORE + _GRAPH),
    "serialization": _layer(["serialization"], _CORE + ["ir"]),
    # A backend may contribute graph passes, hence ir and passes.
    "backends": _layer(
        ["backends/" + name for name in BACKENDS],
        ["base", "device", "tensor", "op", "ir", "passes"],
    ),
    # //backends:all, the only target in the tree that names the backends.
    "all_backends": _layer(["backends"], ["base", "device", "op", "backends"], exact = True),
    "frontends": _layer(["frontends"], _CORE + _GRAPH + ["serialization", "all_backends"]),
}

# The folders whose packages are governed by the table.
_FOLDERS = ["core", "graph", "serialization", "backends", "frontends"]

def layer_groups():
    """Declares the package groups may_use_<layer>."""
    native.package_group(
        name = "outside",
        packages = ["//..."] + ["-//%s/..." % folder for folder in _FOLDERS],
    )
    for name, layer in _LAYERS.items():
        for used in layer.may_use:
            if used not in _LAYERS:
                fail("layer %s may use %s, which is not a layer" % (name, used))
        packages = list(layer.packages)
        for user in _LAYERS.values():
            if name in user.may_use:
                packages += user.packages
        native.package_group(
            name = "may_use_" + name,
            includes = [":outside"],
            # Some layers list themselves.
            packages = {package: None for package in packages}.keys(),
        )

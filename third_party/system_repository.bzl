"""Repository rule that presents a library installed by the system's package
manager as an external repository with that library's standard labels.

Compilers find headers below /usr/include by themselves, so a target for them
carries linker options and one stamp header: Bazel does not track files of the
toolchain's built-in include directories, and the stamp, which holds the package
version, makes dependents recompile when the package is upgraded.
"""

_INCLUDE_ROOTS = ["/usr/include", "/usr/local/include"]

_PKG_CONFIG_ROOTS = [
    "/usr/lib/x86_64-linux-gnu/pkgconfig",
    "/usr/lib/aarch64-linux-gnu/pkgconfig",
    "/usr/local/lib/pkgconfig",
    "/usr/lib64/pkgconfig",
    "/usr/lib/pkgconfig",
]

_PKG_CONFIG_TARGET = """
cc_library(
    name = "{name}",
    linkopts = []{linkopts},
    deps = {deps},
)
"""

# --as-needed is only right where the objects that use a library are linked with
# it, and not behind a shared object of their own, as in dynamically linked tests.
_AS_NEEDED = """ + select({{
        ":mostly_static": ["-Wl,--push-state,--as-needed", "{0}", "-Wl,--pop-state"],
        "//conditions:default": ["{0}"],
    }})"""

_MOSTLY_STATIC = """
config_setting(
    name = "mostly_static",
    values = {"dynamic_mode": "off"},
)

cc_library(
    name = "system_package",
    hdrs = ["system_package.h"],
)
"""

_VISIBILITY = "package(default_visibility = [\"//visibility:public\"])\n"

# Of a repository with a toggle.
_CONFIG = """\
\"\"\"Whether the library of this repository was found.\"\"\"

AVAILABLE = {available}

# For target_compatible_with: targets that need the library are skipped without it.
REQUIRED = {required}
"""

def _find(rctx, path):
    """Returns the root that holds the path, or None."""
    for root in rctx.attr.roots:
        if rctx.path(root + "/" + path).exists:
            return root
    return None

def _missing(rctx):
    """Returns what is missing, as (description, package), or None."""
    for path in rctx.attr.requires + rctx.attr.links.keys():
        if not _find(rctx, path):
            return (
                "file {} (looked in {})".format(path, ", ".join(rctx.attr.roots)),
                rctx.attr.debian_package,
            )
    for program in rctx.attr.programs:
        if not rctx.which(program):
            return "program " + program, rctx.attr.program_package or rctx.attr.debian_package
    return None

def _package_version(rctx):
    dpkg_query = rctx.which("dpkg-query")
    if dpkg_query:
        packages = rctx.attr.debian_package.split(" ")
        result = rctx.execute([dpkg_query, "-W", "-f=${Version} "] + packages)
        if result.return_code == 0:
            return result.stdout.strip()
    return "unknown version"

def _parse_pkg_config(rctx, path):
    """Returns the linker options and the names of the required modules."""
    linkopts = []
    requires = []
    for line in rctx.read(path).splitlines():
        if line.startswith("Libs:"):
            linkopts = [
                flag
                for flag in line[len("Libs:"):].split(" ")
                if flag.startswith("-l" + rctx.attr.pkg_config_prefix)
            ]
        elif line.startswith("Requires:"):
            requires = [
                entry.strip().split(" ")[0]
                for entry in line[len("Requires:"):].split(",")
                if entry.strip()
            ]
    return linkopts, requires

def _pkg_config_targets(rctx):
    """One cc_library for each pkg-config module <prefix>*.pc."""
    prefix = rctx.attr.pkg_config_prefix
    targets = []
    for root in _PKG_CONFIG_ROOTS:
        directory = rctx.path(root)
        if not directory.exists:
            continue
        for entry in directory.readdir():
            if not entry.basename.startswith(prefix) or not entry.basename.endswith(".pc"):
                continue
            linkopts, requires = _parse_pkg_config(rctx, entry)
            targets.append(_PKG_CONFIG_TARGET.format(
                name = entry.basename[:-len(".pc")],
                deps = [":" + name for name in requires] + [":system_package"],
                linkopts = "".join([_AS_NEEDED.format(flag) for flag in linkopts]),
            ))
        if targets:
            return sorted(targets)
    return []

def _missing_or_off(rctx):
    """Whether the library is not to be had; an error if it must be."""
    mode = rctx.os.environ.get(rctx.attr.toggle, "auto") if rctx.attr.toggle else "on"
    if mode not in ["auto", "on", "off"]:
        fail("{} is auto, on or off, not '{}'".format(rctx.attr.toggle, mode))
    missing = _missing(rctx)
    if missing and mode == "on":
        fail(("\n\n@{repo}: {what} was not found.\n" +
              "Install the Debian/Ubuntu package:\n\n" +
              "    sudo apt-get install {package}\n\n" +
              "or declare a repository named '{repo}' in WORKSPACE before the call of " +
              "tandem_deps().\n").format(repo = rctx.name, what = missing[0], package = missing[1]))
    return bool(missing) or mode == "off"

def _system_repository_impl(rctx):
    missing = _missing_or_off(rctx)
    if rctx.attr.toggle:
        rctx.file("config.bzl", _CONFIG.format(
            available = not missing,
            required = ["@{}//:missing".format(rctx.name)] if missing else [],
        ), executable = False)
    if missing:
        # The build file says that its targets are incompatible with every platform.
        rctx.file("system_package.h", executable = False)
        rctx.symlink(rctx.attr.build_file, "BUILD.bazel")
        return

    for path, destination in rctx.attr.links.items():
        rctx.symlink(_find(rctx, path) + "/" + path, destination)
    for program in rctx.attr.programs:
        rctx.symlink(rctx.which(program), program)

    rctx.file("system_package.h", "// {} {}\n".format(
        rctx.attr.debian_package,
        _package_version(rctx),
    ), executable = False)

    if rctx.attr.build_file:
        rctx.symlink(rctx.attr.build_file, "BUILD.bazel")
        return

    rctx.file(
        "BUILD.bazel",
        _VISIBILITY + _MOSTLY_STATIC + "".join(_pkg_config_targets(rctx)),
        executable = False,
    )
    packages = {}
    for label, module in rctx.attr.aliases.items():
        package, _, target = label.partition(":")
        packages.setdefault(package, []).append(
            "\nalias(\n    name = {},\n    actual = {},\n)\n".format(
                repr(target),
                repr("//:" + module),
            ),
        )
    for package, targets in packages.items():
        rctx.file(
            package + "/BUILD.bazel",
            _VISIBILITY + "".join(targets),
            executable = False,
        )

system_repository = repository_rule(
    implementation = _system_repository_impl,
    configure = True,
    environ = ["TANDEM_VULKAN"],
    local = True,
    attrs = {
        "aliases": attr.string_dict(doc = "'package:target' -> pkg-config module"),
        "build_file": attr.label(allow_single_file = True),
        "debian_package": attr.string(mandatory = True),
        "links": attr.string_dict(
            doc = "Files and directories below a root -> their paths in the repository.",
        ),
        "pkg_config_prefix": attr.string(
            doc = "Without build_file: makes a target of each module with this prefix.",
        ),
        "program_package": attr.string(doc = "The package of `programs`, if it is another one."),
        "programs": attr.string_list(doc = "Programs on PATH, linked into the repository."),
        "requires": attr.string_list(
            doc = "Files below a root whose absence means that the package is missing.",
        ),
        "roots": attr.string_list(
            default = _INCLUDE_ROOTS,
            doc = "Where `links` and `requires` are looked for, the first match wins.",
        ),
        "toggle": attr.string(
            doc = "For an optional library: a variable of --repo_env, listed in `environ` above. " +
                  "auto (default): use it if it is there; on: it must be; off: do without. The " +
                  "build_file has a constraint_value `missing`, and loads REQUIRED of :config.bzl.",
        ),
    },
)

def _files_repository_impl(rctx):
    for src, destination in rctx.attr.files.items():
        rctx.symlink(src, destination)
    for path in rctx.attr.empty:
        rctx.file(path, executable = False)

files_repository = repository_rule(
    implementation = _files_repository_impl,
    doc = "A repository made of files of this workspace, or of a consumer's copy of it.",
    attrs = {
        "empty": attr.string_list(doc = "Empty files to make."),
        "files": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "File -> its path in the repository.",
        ),
    },
)

"""The public labels of Abseil (LTS 20220623) -> Debian's pkg-config modules."""

_SAME_NAME = {
    "absl/algorithm": ["algorithm"],
    "absl/base": ["base", "config", "core_headers", "dynamic_annotations", "log_severity"],
    "absl/cleanup": ["cleanup"],
    "absl/container": [
        "btree",
        "fixed_array",
        "flat_hash_map",
        "flat_hash_set",
        "inlined_vector",
        "node_hash_map",
        "node_hash_set",
    ],
    "absl/debugging": ["failure_signal_handler", "leak_check", "stacktrace", "symbolize"],
    "absl/functional": ["any_invocable", "bind_front", "function_ref"],
    "absl/hash": ["hash"],
    "absl/memory": ["memory"],
    "absl/meta": ["type_traits"],
    "absl/numeric": ["bits", "int128"],
    "absl/status": ["status", "statusor"],
    "absl/strings": ["cord", "str_format", "strings"],
    "absl/synchronization": ["synchronization"],
    "absl/time": ["time"],
    "absl/types": [
        "any",
        "bad_any_cast",
        "bad_optional_access",
        "bad_variant_access",
        "compare",
        "optional",
        "span",
        "variant",
    ],
    "absl/utility": ["utility"],
}

_OTHER_NAME = {
    "absl/algorithm:container": "absl_algorithm_container",
    "absl/flags:commandlineflag": "absl_flags_commandlineflag",
    "absl/flags:config": "absl_flags_config",
    "absl/flags:flag": "absl_flags",
    "absl/flags:marshalling": "absl_flags_marshalling",
    "absl/flags:parse": "absl_flags_parse",
    "absl/flags:reflection": "absl_flags_reflection",
    "absl/flags:usage": "absl_flags_usage",
    "absl/random:bit_gen_ref": "absl_random_bit_gen_ref",
    "absl/random:distributions": "absl_random_distributions",
    "absl/random:random": "absl_random_random",
    "absl/random:seed_gen_exception": "absl_random_seed_gen_exception",
    "absl/random:seed_sequences": "absl_random_seed_sequences",
}

def absl_aliases():
    """Returns 'package:target' -> pkg-config module, for system_repository."""
    aliases = dict(_OTHER_NAME)
    for package, targets in _SAME_NAME.items():
        for target in targets:
            aliases[package + ":" + target] = "absl_" + target
    return aliases

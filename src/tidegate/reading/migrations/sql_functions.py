"""Functions that come with PostgreSQL and only answer: a SELECT of them changes no schema."""

from __future__ import annotations

import re

FAMILIES = re.compile(
    r"^(pg_|array_|bool_|bit_|btrim|char_|col_|current_|date_|enum_|format|has_|inet_|is_|json|"
    r"jsonb_|lo_|make_|num|obj_|percent|phrase|plainto_|quote_|range_|regexp_|regr_|row_|"
    r"session_|set_|shobj_|split_|st_|starts_|statement_|stddev|string_|strip|substr|text|"
    r"time|to_|transaction_|ts_|tsvector_|txid_|unicode|uuid|var_|variance|websearch_|width_|"
    r"xml|xpath|gen_random_|crypt|digest|similarity|levenshtein|hstore)"
)
NAMES = {
    "abs", "age", "any_value", "array", "ascii", "asin", "atan", "avg", "bit_length", "cbrt",
    "ceil", "ceiling", "chr", "clock_timestamp", "coalesce", "concat", "concat_ws", "convert",
    "convert_from", "convert_to", "corr", "cos", "count", "cume_dist", "currval", "daterange",
    "decode", "degrees", "dense_rank", "div", "encode", "every", "exp", "extract", "factorial",
    "first_value", "floor", "gcd", "generate_series", "generate_subscripts", "greatest", "host",
    "initcap", "int4range", "int8range", "isfinite", "justify_days", "justify_hours", "lag",
    "last_value", "lastval", "lcm", "lead", "least", "left", "length", "ln", "log", "lower",
    "lower_inc", "lpad", "ltrim", "masklen", "max", "md5", "min", "mod", "mode", "name",
    "network", "nextval", "normalize", "now", "nth_value", "ntile", "nullif", "numrange",
    "octet_length", "overlay", "parse_ident", "pi", "position", "power", "radians", "random",
    "rank", "repeat", "replace", "reverse", "right", "round", "row", "rpad", "rtrim", "scale",
    "setseed", "setval", "setweight", "sha224", "sha256", "sha384", "sha512", "sign", "sin",
    "sqrt", "strpos", "substring", "sum", "tan", "timezone", "translate", "trim", "trunc",
    "tsrange", "tstzrange", "unaccent", "unnest", "upper", "upper_inc", "user", "version",
    "isnull", "cast", "if", "ifnull", "char", "date", "overlaps", "numnode",
}  # fmt: skip


def is_known(name: str) -> bool:
    """Whether a function is one that comes with the database."""
    return name in NAMES or FAMILIES.match(name) is not None

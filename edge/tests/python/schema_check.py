"""Judges TOML files by a JSON Schema with the `jsonschema` library.

    schema_check.py SCHEMA FILE...

Prints one JSON object: for each file the messages of what is wrong with it. A schema that is none
itself ends the program.
"""

import json
import sys
import tomllib

from jsonschema import Draft202012Validator

with open(sys.argv[1], "rb") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
validator = Draft202012Validator(schema)


def findings(path):
    with open(path, "rb") as file:
        instance = tomllib.load(file)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


print(json.dumps({path: findings(path) for path in sys.argv[2:]}))

"""Reads server.conf texts with ConfigObj, as Zato does: a JSON array of texts in, an array out, each
text as the lines that are refused and the sections that were read."""

import json
import sys

from configobj import ConfigObj, ConfigObjError


def read(text):
    try:
        conf = ConfigObj(text.encode().splitlines(True), encoding="utf8", interpolation=False)
        return {"refused": [], "sections": conf.dict()}
    except ConfigObjError as error:
        return {"refused": [each.line_number for each in error.errors], "sections": {}}


def boolean(sections):
    conf = ConfigObj(sections)
    try:
        return conf["crypto"].as_bool("use_tls")
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def main():
    answers = [read(text) for text in json.load(sys.stdin)]
    for answer in answers:
        answer["use_tls"] = boolean(answer["sections"])
    json.dump(answers, sys.stdout)


main()

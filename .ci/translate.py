"""Translates the SAM template into the CloudFormation template that AWS deploys, without the network.

Usage: translate.py TEMPLATE [OUT.json]
"""

import json
import logging
import os
import sys
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# The translator asks for a region, to know the partition; it does not call it.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
# It counts its own metrics and warns that nobody publishes them.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)


class NoManagedPolicies:
    """Stands where the translator would ask IAM for managed policies: our roles are written out."""

    def load(self):
        return {}


def translate(text: str) -> dict:
    """The CloudFormation template for a SAM template's text. Raises what the translator finds wrong."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        # What `sam deploy` uploads. The translator refuses a local path.
        if resource["Type"] == "AWS::Serverless::Function" and "InlineCode" not in properties:
            properties["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, NoManagedPolicies(), passthrough_metadata=True)


def main() -> None:
    translated = json.dumps(translate(Path(sys.argv[1]).read_text()), indent=2)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(translated + "\n")
    else:
        print(translated)


if __name__ == "__main__":
    main()

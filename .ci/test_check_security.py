"""Puts weaknesses into template.yaml, and sees each found in it.

Usage: CHECKOV=PROGRAM python -m unittest (in this folder)
"""

import json
import os
import tempfile
import unittest
from pathlib import Path

from check_security import check
from translate import translate

TEMPLATE = (Path(__file__).parent.parent / "template.yaml").read_text()
# What is new has nothing accepted.
WEAK = """
  Weak:
    Type: AWS::SQS::Queue

  WeakRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { AWS: "*" }, Action: sts:AssumeRole }]
      Policies:
        - PolicyName: all
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{ Effect: Allow, Action: "*", Resource: "*" }]
"""

# What stands in the template, what is put in its place, and what must be said, of which resource.
WEAKNESSES = [
    ("\nOutputs:\n", WEAK + "\nOutputs:\n", ["Weak: CKV_AWS_27", "WeakRole: CKV_AWS_60", "WeakRole: CKV_AWS_63"]),
    (
        "      EnableKeyRotation: true\n",
        "      EnableKeyRotation: false\n",
        ["TablesKey: CKV_AWS_7", "AlarmKey: CKV_AWS_7"],
    ),
    ("      KmsMasterKeyId: !Ref AlarmKey\n", "", ["AlarmTopic: CKV_AWS_26"]),
    ("{ PointInTimeRecoveryEnabled: true }", "{ PointInTimeRecoveryEnabled: false }", ["InstancesTable: CKV_AWS_28"]),
    ("      KmsKeyId: !GetAtt TablesKey.Arn\n", "", ["UserSecret: CKV_AWS_149", "PollerLogs: CKV_AWS_158"]),
    (
        "Its source is a queue, which has one.",
        "",
        ["CallbackFunction: CKV_AWS_116, accepted without a reason"],
    ),
]


@unittest.skipUnless("CHECKOV" in os.environ, "CHECKOV names no program")
class CheckSecurity(unittest.TestCase):
    def test_each_weakness_is_found(self):
        text = TEMPLATE
        for old, new, _ in WEAKNESSES:
            self.assertIn(old, text, "the weakness has no place in the template any more")
            text = text.replace(old, new)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "template.json"
            file.write_text(json.dumps(translate(text), indent=2))
            problems = check(os.environ["CHECKOV"], [file])[file]
        for old, _, expected in WEAKNESSES:
            for start in expected:
                with self.subTest(old=old, start=start):
                    self.assertTrue([problem for problem in problems if problem.startswith(start)], problems)

    def test_what_is_no_template_is_not_passed_over(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "template.json"
            file.write_text("{}")
            self.assertEqual(check(os.environ["CHECKOV"], [file])[file], ["it was not read"])


if __name__ == "__main__":
    unittest.main()

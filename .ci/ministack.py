"""AWS on this machine: the emulator ministack, which runs the functions' binaries, and what stands between it and the template."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from resources import references
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
START_SECONDS = 60
DEPLOY_SECONDS = 300

# Secrets of the form that `GenerateSecretString` asks for.
USER_SECRET = "UserSecretOfTheDeploymentInMinistack0000001"
ORGANIZATION_SECRET = "OrganizationSecretOfTheDeployment0000000002"

# The types of resources that it does not have, and what they are for: they are left out of the copy that is deployed. The
# linters and our own assertions see them all the same. `expect_lacking` ends this when one of them is there after all.
LACKING = {
    "AWS::Events::Archive": "keeps events for a replay",
    "AWS::EventSchemas::Registry": "shows the event's schema",
    "AWS::EventSchemas::Schema": "shows the event's schema",
}


@contextlib.contextmanager
def running(program: Path, directory: Path) -> Iterator[str]:
    """Runs ministack, on loopback alone, and gives its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = aws_environment(url) | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # It would listen on all interfaces.
        "TMPDIR": str(directory),  # It leaves the functions' binaries there.
    }
    with (directory / "ministack.log").open("w") as log:
        process = subprocess.Popen([program], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_until_ready(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit("ministack did not start: see ministack.log")


def expect_lacking(cloudformation) -> None:
    """Fails if ministack has a type after all that `LACKING` says it has not."""
    resources = {f"Lacking{index}": {"Type": kind} for index, kind in enumerate(sorted(LACKING))}
    try:
        cloudformation.validate_template(TemplateBody=json.dumps({"Resources": resources}))
        message = ""
    except cloudformation.exceptions.ClientError as error:
        message = error.response["Error"]["Message"]
    found = re.search(r"Unrecognized resource types: \[(.*)\]", message)
    if has := LACKING.keys() - (found[1].split(", ") if found else []):
        raise SystemExit(f"ministack has {', '.join(sorted(has))} by now: take it out of LACKING. It says: {message}")


def aws_environment(url: str, region: str = REGION) -> dict[str, str]:
    """This environment, with all of AWS at `url`. The functions inherit where AWS is."""
    return os.environ | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": url,
        "SAM_CLI_TELEMETRY": "0",
    }


def deploy(build: Path, url: str, name: str, region: str, parameters: dict[str, str], directory: Path) -> None:
    """Has `sam deploy` deploy what `sam build` built, as a stack of this name, with the tags of samconfig.toml."""
    template = narrow(yaml_parse((build / "template.yaml").read_text()), build)
    file = directory / "template.json"
    file.write_text(json.dumps(template, indent=2))
    command = ["sam", "deploy", "--template-file", file, "--stack-name", name, "--region", region]
    command += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
    command += ["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items())]
    command += ["--tags", *(f"{key}={value}" for key, value in tags().items())]
    log = directory / f"deploy-{name}-{region}.log"
    with log.open("w") as output:
        # Where there is no samconfig.toml, which is for the real AWS.
        done = subprocess.run(
            command,
            cwd=directory,
            env=aws_environment(url, region),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=DEPLOY_SECONDS,
        )
    if done.returncode:
        raise SystemExit(f"sam deploy failed: {log.read_text()}")


def tags() -> dict[str, str]:
    """The tags that every deployment has, and with it every resource that takes tags."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    return dict(tag.split("=", 1) for tag in config["default"]["deploy"]["parameters"]["tags"].split())


def narrow(template: dict, build: Path) -> dict:
    """The template, as far as ministack can deploy it."""
    resources = template["Resources"]
    lacking = {name for name, resource in resources.items() if resource["Type"] in LACKING}
    for name in sorted(lacking):
        print(f"{name} is not deployed here: ministack has no {resources.pop(name)['Type']}")
    template["Outputs"] = {name: one for name, one in template["Outputs"].items() if not references(one) & lacking}
    # It makes secrets of any characters, whatever `GenerateSecretString` excludes; a comma ends one in a header.
    for name, secret in {"UserSecret": USER_SECRET, "OrganizationSecret": ORGANIZATION_SECRET}.items():
        del resources[name]["Properties"]["GenerateSecretString"]
        resources[name]["Properties"]["SecretString"] = secret
    functions = {name: one for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"}
    for name, function in functions.items():
        function["Properties"]["CodeUri"] = str((build / function["Properties"]["CodeUri"]).resolve())
        # The receiver of callbacks is on this machine.
        function["Properties"]["Environment"]["Variables"]["CALLBACK_ALLOW_LOOPBACK"] = "true"
        events = function["Properties"].get("Events", {})
        resources.update(routes(name, events))
        # It takes the parameter's text for the number, and then reads no queue at all.
        for scaling in (event["Properties"]["ScalingConfig"] for event in events.values() if event["Type"] == "SQS"):
            scaling["MaximumConcurrency"] = template["Parameters"][scaling["MaximumConcurrency"]["Ref"]]["Default"]
    return template


def routes(function: str, events: dict) -> dict:
    """A function's routes, one by one: of an API that is described whole, as SAM does it, ministack makes none."""
    integration = f"{function}Integration"
    made = {
        f"{name}Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": event["Properties"]["ApiId"],
                "RouteKey": f"{event['Properties']['Method']} {event['Properties']['Path']}",
                "Target": {"Fn::Sub": f"integrations/${{{integration}}}"},
            },
        }
        for name, event in events.items()
        if event["Type"] == "HttpApi"
    }
    if made:
        made[integration] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "HttpApi"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": [function, "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        }
    return made

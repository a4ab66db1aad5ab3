"""AWS on this machine: the emulator ministack, which runs the functions' binaries, and what stands between it and the template."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from resources import references
from samtranslator.yaml_helper import yaml_parse

REGION = "us-east-1"
STACK = "closeio-events"
START_SECONDS = 60
DEPLOY_SECONDS = 300

# Secrets of the form that `GenerateSecretString` asks for.
USER_SECRET = "UserSecretOfTheDeploymentInMinistack0000001"
ORGANIZATION_SECRET = "OrganizationSecretOfTheDeployment0000000002"

# The types of resources that it does not have, and what they are for. Nothing of them can be seen in a scenario.
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


def aws_environment(url: str) -> dict[str, str]:
    """This environment, with all of AWS at `url`. The functions inherit where AWS is."""
    return os.environ | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "SAM_CLI_TELEMETRY": "0",
    }


def deploy(build: Path, url: str, parameters: dict[str, str], directory: Path) -> None:
    """Has `sam deploy` deploy what `sam build` built."""
    template = narrow(yaml_parse((build / "template.yaml").read_text()), build)
    file = directory / "template.json"
    file.write_text(json.dumps(template, indent=2))
    command = ["sam", "deploy", "--template-file", file, "--stack-name", STACK, "--region", REGION]
    command += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
    command += ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
    with (directory / "deploy.log").open("w") as log:
        # Where there is no samconfig.toml, which is for the real AWS.
        subprocess.run(
            command,
            cwd=directory,
            env=aws_environment(url),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=DEPLOY_SECONDS,
        )


def narrow(template: dict, build: Path) -> dict:
    """The template, as far as ministack can deploy it."""
    resources = template["Resources"]
    lacking = {name for name, resource in resources.items() if resource["Type"] in LACKING}
    for name in lacking:
        del resources[name]
    outputs = template["Outputs"]
    for name in [name for name, output in outputs.items() if references(output) & lacking]:
        del outputs[name]
    # It makes secrets of any characters, whatever `GenerateSecretString` excludes; a comma ends one in a header.
    for name, secret in {"UserSecret": USER_SECRET, "OrganizationSecret": ORGANIZATION_SECRET}.items():
        del resources[name]["Properties"]["GenerateSecretString"]
        resources[name]["Properties"]["SecretString"] = secret
    functions = {name: one for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"}
    for name, function in functions.items():
        function["Properties"]["CodeUri"] = str((build / function["Properties"]["CodeUri"]).resolve())
        resources.update(routes(name, function["Properties"].get("Events", {})))
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

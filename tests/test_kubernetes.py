"""What `deploy/kubernetes` renders to is valid, hangs together, and is understood by the program.

The files as they stand are judged everywhere; what kustomize makes of them where it is installed
(`go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner
from dragonfly_common.cli import main
from manifests import Manifest, Manifests, Pod, at, matches

KUBERNETES: Final = Path(__file__).parents[1] / "deploy" / "kubernetes"
OVERLAYS: Final = (
    "base",
    "overlays/simulated",
    "overlays/secured",
    "overlays/real-orders",
    "overlays/page",
)
README: Final = KUBERNETES / "README.md"
OLDEST_VERSION: Final = "1.30"
"""The README says so: `preStop.sleep` is in no older one."""

FOLDERS: Final = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
KUSTOMIZE: Final = Path(shutil.which("kustomize", path=FOLDERS) or "/nowhere/kustomize")
_ADDRESS: Final = re.compile(r"\w+://([\w.-]+):(\d+)")


def load(text: str) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(text) if one]


def whole_files() -> Iterator[Path]:
    """Yield the files that hold whole objects, rather than patches or kustomize's own words."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if "components" not in path.parts and path.name != "kustomization.yaml":
            yield path


def problems(manifest: Manifest) -> list[str]:
    """Return what the schemas of the oldest and the newest known version say against it."""
    found = []
    for version in (OLDEST_VERSION, kubernetes_validate.latest_version()):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(map(str, error.absolute_path))
            found.append(f"{manifest['kind']} {manifest['metadata']['name']}: {path}: {error}")
    return found


@pytest.fixture(scope="module")
def with_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the folder in which somebody made the secrets, as the README says."""
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(KUBERNETES, folder, ignore=shutil.ignore_patterns("secrets"))
    secrets = folder / "overlays" / "secured" / "secrets"
    for words in (
        ["keys", "new", str(secrets)],
        ["token", "new", "market-maker", "--file", str(secrets / "tokens.toml")],
    ):
        made = CliRunner().invoke(main, words)
        assert made.exit_code == 0, made.output
    for name in ("tls.crt", "tls.key"):
        (secrets / name).write_text("what an authority made")
    add_overlay(folder / "overlays", "real-orders", "orders", ("binance.keys", "limits.toml"))
    add_overlay(folder / "overlays", "page", "page", ("ca.crt", "web.token"))
    return folder


def add_overlay(overlays: Path, name: str, snippet: str, files: Sequence[str]) -> None:
    """Make an overlay of `secured`, with what the README's `snippet` says."""
    folder = overlays / name
    shutil.copytree(overlays / "secured", folder)
    for file in files:
        (folder / "secrets" / file).write_text("what a person wrote")
    overlay = yaml.safe_load((folder / "kustomization.yaml").read_text())
    text = README.read_text().partition(f"```yaml\n# {snippet}\n")[2].partition("```")[0]
    more = yaml.safe_load(text)
    overlay["components"] = more.pop("components") + overlay["components"]
    overlay["secretGenerator"] += more.pop("secretGenerator")
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay | more))


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.needs(KUSTOMIZE)) for name in OVERLAYS],
)
def manifests(request: pytest.FixtureRequest, with_secrets: Path) -> Manifests:
    rendering = subprocess.run(
        [str(KUSTOMIZE), "build", with_secrets / request.param],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rendering.returncode == 0, rendering.stderr
    return Manifests(load(rendering.stdout))


@pytest.mark.parametrize(
    "path", list(whole_files()), ids=lambda path: str(path.relative_to(KUBERNETES))
)
def test_each_file_holds_valid_objects(path: Path) -> None:
    for manifest in load(path.read_text()):
        assert not problems(manifest)


def test_what_is_rendered_is_valid(manifests: Manifests) -> None:
    assert not [problem for one in manifests.objects for problem in problems(one)]


def test_everything_is_in_the_namespace(manifests: Manifests) -> None:
    (namespace,) = manifests.of("Namespace")
    for one in manifests.objects:
        if one is not namespace:
            assert one["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_every_selector_selects_pods_and_only_its_own(manifests: Manifests) -> None:
    selectors_by_name = [
        (one["metadata"]["name"], at(one, "spec.selector"))
        for kind in ("Deployment", "StatefulSet", "PodDisruptionBudget")
        for one in manifests.of(kind)
    ] + [
        (one["metadata"]["name"], {"matchLabels": at(one, "spec.selector")})
        for one in manifests.of("Service")
    ]
    for name, selector in selectors_by_name:
        selected = [pod.workload for pod in manifests.pods if matches(selector, pod.labels)]
        assert selected == [name]
    for one in manifests.of("NetworkPolicy"):
        selectors = [at(one, "spec.podSelector")]
        for rule in [*one["spec"].get("ingress", ()), *one["spec"].get("egress", ())]:
            peers = [*rule.get("from", ()), *rule.get("to", ())]
            selectors += [peer["podSelector"] for peer in peers if "podSelector" in peer]
        for selector in selectors:
            assert any(matches(selector, pod.labels) for pod in manifests.pods), selector
    for one in manifests.of("HorizontalPodAutoscaler"):
        target = manifests.named(
            at(one, "spec.scaleTargetRef.kind"), at(one, "spec.scaleTargetRef.name")
        )
        assert "replicas" not in target["spec"], "would undo what the autoscaler did"


def test_every_port_that_is_referred_to_exists(manifests: Manifests) -> None:
    for one in manifests.of("Service"):
        pod = manifests.pod(one["metadata"]["name"])
        for port in at(one, "spec.ports"):
            assert pod.ports[port["targetPort"]] == port["port"]
    for pod in manifests.pods:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert at(pod.container, f"{probe}.httpGet.port") in pod.ports
    for one in manifests.of("NetworkPolicy"):
        named = {name for pod in manifests.pods for name in pod.ports}
        for rule in [*one["spec"].get("ingress", ()), *one["spec"].get("egress", ())]:
            for port in rule["ports"]:
                assert isinstance(port["port"], int) or port["port"] in named


def test_probes_ask_the_status_page(manifests: Manifests) -> None:
    for pod in manifests.pods:
        environment = manifests.environment(pod)
        (status,) = (value for name, value in environment.items() if name == f"{prefix(pod)}STATUS")
        assert status == f"0.0.0.0:{pod.ports['status']}"
        paths = {
            probe: at(pod.container, f"{probe}.httpGet.path")
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }


def test_the_program_understands_every_variable(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {name for command in commands().values() for name in variables(command)}
    for pod in manifests.pods:
        environment = manifests.environment(pod)
        # The program does not read SERVICE: the value of a variable that it reads names it.
        assert environment.keys() - {"SERVICE"} <= known
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            # Every value is read and checked as in the pod; the command is not run.
            service = command_of(pod)
            commands()[service].make_context(service, [])


def test_every_address_is_a_service_that_may_be_reached(manifests: Manifests) -> None:
    reached = set()
    for pod in manifests.pods:
        for name, value in manifests.environment(pod).items():
            if not name.startswith(prefix(pod)) or name.endswith("_BIND"):
                continue
            for host, port in _ADDRESS.findall(value):
                service = manifests.named("Service", host)
                assert int(port) in {one["port"] for one in at(service, "spec.ports")}
                assert manifests.may_reach(pod, manifests.pod(host), int(port)), (name, value)
                reached.add((pod.workload, host))
    listeners = {f"listener-{venue}" for venue in ("binance", "bitstamp", "kraken")}
    assert reached >= (
        {(one, one) for one in listeners | {"aggregator"}}
        | {("aggregator", one) for one in listeners}
        | {("grpc-gateway", "aggregator")}
    )
    if any(manifests.of("StatefulSet")):
        assert reached >= {("grpc-gateway", "engine"), ("engine", "aggregator")}
    if any(manifests.of("PersistentVolumeClaim")):
        assert reached >= {("fix-gateway", "engine"), ("fix-gateway", "aggregator")}


def test_names_on_the_bus_lead_to_all_pods(manifests: Manifests) -> None:
    for pod in manifests.pods:
        if pod.ports.keys() & {"bus", "orders"}:
            service = manifests.named("Service", pod.workload)
            assert at(service, "spec.clusterIP") == "None"
            assert at(service, "spec.publishNotReadyAddresses") is True


def test_nobody_else_reaches_a_pod(manifests: Manifests) -> None:
    stranger = Pod("stranger", "elsewhere", {"app.kubernetes.io/name": "aggregator"}, {})
    for target in manifests.pods:
        for port in target.ports.values():
            assert not manifests.may_reach(stranger, target, port)
            assert not manifests.may_reach(manifests.pod("grpc-gateway"), target, port) or (
                (target.workload, port) in {("aggregator", 5561), ("engine", 5571)}
            )
    gateway = manifests.pod("grpc-gateway")
    namespace = {"name": "elsewhere", "labels": {"dragonfly-bots": "allowed"}}
    admitted = Manifests([*manifests.objects, {"kind": "Namespace", "metadata": namespace}])
    assert admitted.may_reach(stranger, gateway, 50051)
    assert not admitted.may_reach(stranger, gateway, 9100)
    assert not admitted.may_reach(stranger, admitted.pod("aggregator"), 5561)


def test_every_secret_file_is_mounted(manifests: Manifests) -> None:
    for pod in manifests.pods:
        mounted = set(manifests.secret_files(pod))
        named = {
            path
            for name, value in manifests.environment(pod).items()
            if name.startswith(prefix(pod))
            for path in re.findall(r"/run/secrets/\S+", value)
        }
        assert named == mounted


def test_pods_can_do_nothing_but_their_work(manifests: Manifests) -> None:
    for pod in manifests.pods:
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert at(pod.container, "resources.limits.memory")


def test_updates_make_before_they_break(manifests: Manifests) -> None:
    for one in manifests.of("Deployment"):
        strategy = at(one, "spec.strategy")
        volumes = at(one, "spec.template.spec.volumes")
        if any("persistentVolumeClaim" in volume for volume in volumes):
            # But for what has a store, which has one writer.
            assert (strategy, at(one, "spec.replicas")) == ({"type": "Recreate"}, 1)
        else:
            assert strategy == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
        assert at(one, "spec.minReadySeconds") > 30, "for so long a name may be cached"


def test_an_engine_is_one_and_keeps_its_journal(manifests: Manifests) -> None:
    for one in manifests.of("StatefulSet"):
        assert at(one, "spec.replicas") == 1
        (claim,) = at(one, "spec.volumeClaimTemplates")
        assert at(claim, "spec.accessModes") == ["ReadWriteOncePod"]
        pod = manifests.pod(one["metadata"]["name"])
        mounts = {each["name"]: each["mountPath"] for each in pod.container["volumeMounts"]}
        journal = Path(manifests.environment(pod)["DRAGONFLY_ENGINE_JOURNAL"])
        assert mounts[claim["metadata"]["name"]] == str(journal.parent)


def commands() -> Mapping[str, click.Command]:
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def variables(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            yield parameter.envvar


def command_of(pod: Pod) -> str:
    image: str = pod.container["image"]
    return image.rpartition("dragonfly-")[2].partition(":")[0]


def prefix(pod: Pod) -> str:
    return f"DRAGONFLY_{command_of(pod).upper().replace('-', '_')}_"

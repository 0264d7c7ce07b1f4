"""Kubernetes manifests as a cluster would read them: who is selected, who may reach whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Manifest", "Manifests", "Pod", "at", "matches"]

Manifest = dict[str, Any]
"""One object; its keys are Kubernetes' own."""

_REFERENCE: Final = re.compile(r"\$\(([^)]+)\)")


@dataclass(frozen=True)
class Pod:
    """What a workload's template says of its one container."""

    workload: str
    namespace: str
    labels: Mapping[str, str]
    spec: Manifest

    @property
    def container(self) -> Manifest:
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}


class Manifests:
    """All objects of one rendering."""

    def __init__(self, objects: Iterable[Manifest]) -> None:
        self.objects = list(objects)
        self.pods = [
            Pod(
                one["metadata"]["name"],
                one["metadata"]["namespace"],
                at(one, "spec.template.metadata.labels"),
                at(one, "spec.template.spec"),
            )
            for kind in ("Deployment", "StatefulSet")
            for one in self.of(kind)
        ]
        self._namespaces = {
            one["metadata"]["name"]: one["metadata"].get("labels", {})
            | {"kubernetes.io/metadata.name": one["metadata"]["name"]}
            for one in self.of("Namespace")
        }

    def of(self, kind: str) -> Iterator[Manifest]:
        return (one for one in self.objects if one["kind"] == kind)

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = (one for one in self.of(kind) if one["metadata"]["name"] == name)
        return found

    def pod(self, workload: str) -> Pod:
        (found,) = (pod for pod in self.pods if pod.workload == workload)
        return found

    def environment(self, pod: Pod) -> dict[str, str]:
        """Return the variables of a container, references resolved as the kubelet does."""
        found: dict[str, str] = {}
        for source in pod.container.get("envFrom", ()):
            found |= self.named("ConfigMap", source["configMapRef"]["name"])["data"]
        before: dict[str, str] = {}
        for variable in pod.container["env"]:
            if "value" in variable:
                # A name that does not stand before stays as it is written.
                value = _REFERENCE.sub(lambda m: before.get(m[1], m[0]), variable["value"])
            else:
                label = re.fullmatch(
                    r"metadata\.labels\['(.+)'\]", at(variable, "valueFrom.fieldRef.fieldPath")
                )
                assert label, f"the kubelet would not understand {variable}"
                value = pod.labels[label[1]]
            before[variable["name"]] = value
        return found | before

    def secret_files(self, pod: Pod) -> Iterator[str]:
        """Yield the paths of the files that secrets put into a container."""
        mounts = {one["name"]: one["mountPath"] for one in pod.container["volumeMounts"]}
        for volume in pod.spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", ()):
                for key in self.named("Secret", source["secret"]["name"])["data"]:
                    yield f"{mounts[volume['name']]}/{key}"

    def may_reach(self, source: Pod, target: Pod, port: int) -> bool:
        """Say whether the network policies let `source` open a connection to `target`."""
        return self._allows("egress", source, target, target, port) and self._allows(
            "ingress", target, source, target, port
        )

    def _allows(self, way: str, subject: Pod, other: Pod, server: Pod, port: int) -> bool:
        policies = [
            at(one, "spec")
            for one in self.of("NetworkPolicy")
            if one["metadata"]["namespace"] == subject.namespace
            and way.capitalize() in at(one, "spec.policyTypes")
            and matches(at(one, "spec.podSelector"), subject.labels)
        ]
        side = {"ingress": "from", "egress": "to"}[way]
        return not policies or any(
            any(self._is_meant(peer, subject, other) for peer in rule[side])
            and any(server.ports.get(one["port"], one["port"]) == port for one in rule["ports"])
            for policy in policies
            for rule in policy.get(way, ())
        )

    def _is_meant(self, peer: Manifest, subject: Pod, other: Pod) -> bool:
        if "ipBlock" in peer:
            return False  # what the cluster runs has addresses that the blocks leave out
        if "namespaceSelector" not in peer:
            in_namespace = other.namespace == subject.namespace
        else:
            labels = self._namespaces.get(other.namespace, {})
            in_namespace = matches(peer["namespaceSelector"], labels)
        return in_namespace and matches(peer.get("podSelector", {}), other.labels)


def matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Say whether a label selector selects; an empty one selects all."""
    assert selector.keys() <= {"matchLabels"}, f"not understood here: {selector}"
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def at(manifest: Manifest, path: str) -> Any:
    """Return what stands at a path such as `spec.template.spec`."""
    found: Any = manifest
    for key in path.split("."):
        found = found[key]
    return found

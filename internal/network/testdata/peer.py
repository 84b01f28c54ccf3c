"""Answers what cloud-init makes of descriptions of networks: questions as JSON in, answers as JSON out.

A question is {"document": text, "renderer": name, "nics": {name: MAC}, "ip": whether there is an ip command}. The answer
is {"files": {path: text}, "error": text}; of the renderer "state" it is the interpreted state instead, in "state". With the
renderer "fallback", "sys" are files and links ("-> TARGET") below /sys/class/net, and "state" is the document that
cloud-init assumes; of "read", "kind" is that of the document, and "read" what version 1 or 2 it becomes; of "constants",
"document" is a file of cloud-init's source tree and "state" are the constants in it; of "choose", "sys" are the files of the machine, "document" the names of renderers, and "state" the choice; of "schema", "state" says whether the document is valid.
"""

import ast
import ipaddress
import json
import logging
import os
import sys
import tempfile
import types
from unittest import mock

import yaml

from cloudinit import net, subp, util
from cloudinit.net import network_state

RENDERERS = {
    "eni": ("eni", {"eni_path": "etc/network/interfaces"}),
    "netplan": ("netplan", {"netplan_path": "etc/netplan/50-cloud-init.yaml"}),
    "networkd": ("networkd", {}),
    "network-manager": ("network_manager", {}),
    "sysconfig-rhel": ("sysconfig", {
        "control": "etc/sysconfig/network",
        "iface_templates": "%(base)s/network-scripts/ifcfg-%(name)s",
        "route_templates": {"ipv4": "%(base)s/network-scripts/route-%(name)s", "ipv6": "%(base)s/network-scripts/route6-%(name)s"},
    }),
    "sysconfig-suse": ("sysconfig", {
        "flavor": "suse",
        "control": "etc/sysconfig/network/config",
        "iface_templates": "%(base)s/network/ifcfg-%(name)s",
        "netrules_path": "etc/udev/rules.d/85-persistent-net-cloud-init.rules",
        "route_templates": {"ipv4": "%(base)s/network/ifroute-%(name)s", "ipv6": "%(base)s/network/ifroute-%(name)s"},
    }),
}


def renderer(name):
    module, config = RENDERERS[name]
    if module in ("network_manager", "sysconfig"):
        __import__("cloudinit.distros")  # which they import, and which imports them; needs configobj
    module = __import__("cloudinit.net." + module, fromlist=["Renderer"])
    return module.Renderer(config)


def files_below(root):
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as f:
                files[path[len(root):]] = f.read()
    return files


def fallback(question):
    with tempfile.TemporaryDirectory() as root:
        for name, text in question["sys"].items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if text.startswith("-> "):
                os.symlink(text[3:], path)
            else:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
        with mock.patch.object(net, "SYS_CLASS_NET", root + "/"), mock.patch.object(util, "get_cmdline", lambda: "net.ifnames=0"):
            return {"state": net.generate_fallback_config()}


def choose(question):
    from cloudinit.net import renderers  # needs configobj

    files = question["sys"]
    there = lambda program, search=None, target=None: any(d + "/" + program in files for d in search or ["/usr/bin"]) or None
    with mock.patch.object(subp, "which", there), mock.patch("os.path.isfile", files.__contains__):
        try:
            return {"state": {"name": renderers.select(priority=yaml.safe_load(question["document"]))[0]}}
        except net.RendererNotFoundError:
            return {"state": {"name": ""}}


def constants(question):
    path = os.path.join(os.path.dirname(os.path.dirname(net.__path__[0])), question["document"])
    found = {}
    with open(path, encoding="utf-8") as f:
        for node in ast.parse(f.read()).body:
            try:
                found[node.targets[0].id] = literal(node.value)
            except (AttributeError, ValueError):
                pass
    return {"state": found}


def literal(node):
    """What a constant says; of one that is a list of mappings, what can be said without running it."""
    if isinstance(node, ast.List) and node.elts and all(isinstance(item, ast.Dict) for item in node.elts):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        known = {}
        for key, value in zip(node.keys, node.values):
            try:
                known[ast.literal_eval(key)] = ast.literal_eval(value)
            except ValueError:
                pass
        return known
    return ast.literal_eval(node)


def lease(nic, macs, by_mac):
    """A lease as EC2 gives: the router has the first address of the network."""
    mac = next(mac for mac, name in by_mac.items() if name == nic)
    return {"routers": str(ipaddress.ip_network(macs[mac]["subnet-ipv4-cidr-block"])[1])}


def read_ec2(text, by_mac):
    from cloudinit.net import netplan
    from cloudinit.sources import DataSourceEc2

    document = yaml.safe_load(text)
    macs = document["interfaces"]["macs"]
    distro = mock.Mock(network_renderer=netplan.Renderer({}))
    distro.dhcp_client.dhcp_discovery = lambda nic, distro: lease(nic, macs, by_mac)
    return DataSourceEc2.convert_ec2_metadata_network_config(document, distro, by_mac)


def read_network_data(text, by_mac):
    from cloudinit.sources.helpers import openstack

    six = {mac[36:-14] + mac[51:] if len(mac) == 59 else mac: name for mac, name in by_mac.items()}
    infiniband = {name: mac for mac, name in by_mac.items() if len(mac) == 59}
    with mock.patch.object(net, "get_ib_hwaddrs_by_interface", lambda: infiniband):
        return openstack.convert_net_json(yaml.safe_load(text), known_macs=six)


def read_initramfs(text, by_mac):
    from cloudinit.net import cmdline

    files = {str(i): file for i, file in enumerate(text.split("\n\n"))}
    with mock.patch.object(util, "load_text_file", files.get):
        return cmdline.config_from_klibc_net_cfg(files, {name: mac for mac, name in by_mac.items()})


def read_eni(text, by_mac):
    from cloudinit.net import eni

    return eni.convert_eni_data(text)


def read_aliyun(text, by_mac):
    from cloudinit.sources.helpers import aliyun

    return aliyun.convert_ecs_metadata_network_config(yaml.safe_load(text), by_mac)


def read_digitalocean(text, by_mac):
    from cloudinit.sources.helpers import digitalocean

    document = yaml.safe_load(text)
    with mock.patch.object(net, "get_interfaces_by_mac", lambda: by_mac):
        return digitalocean.convert_network_configuration(document["interfaces"], document["dns"]["nameservers"])


def read_upcloud(text, by_mac):
    from cloudinit.sources.helpers import upcloud

    with mock.patch.object(net, "get_interfaces_by_mac", lambda: by_mac):
        return upcloud.convert_network_config(yaml.safe_load(text))


def read_vultr(text, by_mac):
    from cloudinit.sources.helpers import vultr

    with mock.patch.object(vultr, "get_interface_name", by_mac.get):
        return vultr.generate_network_config(yaml.safe_load(text))


def read_oracle(text, by_mac):
    from cloudinit.sources import DataSourceOracle as oracle

    source = mock.Mock(_vnics_data=yaml.safe_load(text), _network_config={"version": 1, "config": []})
    with mock.patch.object(oracle, "get_interfaces_by_mac", lambda: by_mac):
        oracle.DataSourceOracle._add_network_config_from_opc_imds(source, True)
    return source._network_config


def read(question, by_mac):
    try:
        import configobj  # noqa: F401
    except ImportError:  # what is asked here does not use it
        sys.modules["configobj"] = types.SimpleNamespace(ConfigObj=dict)
    document = globals()["read_" + question["kind"]](question["document"], by_mac)
    state = network_state.parse_net_config_data(json.loads(json.dumps(document)))
    return {"read": document, "state": dict(state._network_state, config=None)}


def schema(question):
    """Whether a document is as cloud-init's JSON schema wants it, on a machine without netplan."""
    sys.modules.setdefault("configobj", mock.MagicMock())  # only imported on the way
    from cloudinit.config import schema as checker
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(question["document"])
        file.flush()
        kind = checker.SchemaType.NETWORK_CONFIG
        with mock.patch.object(checker, "netplan_validate_network_schema", return_value=False), \
                mock.patch("cloudinit.net.netplan.available", return_value=False), \
                open(os.devnull, "w") as nowhere, mock.patch.object(sys, "stdout", nowhere):
            try:
                checker.validate_cloudconfig_file(file.name, checker.get_schema(kind), kind, False, "")
            except (checker.SchemaValidationError, RuntimeError) as e:
                return {"state": {"valid": False, "why": str(e)}}
    return {"state": {"valid": True}}


def answer(question, by_mac):
    if question["renderer"] == "schema":
        return schema(question)
    if question["renderer"] == "read":
        return read(question, by_mac)
    if question["renderer"] == "constants":
        return constants(question)
    if question["renderer"] == "fallback":
        return fallback(question)
    if question["renderer"] == "choose":
        return choose(question)
    document = yaml.safe_load(question["document"])
    document = document.get("network", document)
    if question["renderer"] == "state":
        state = network_state.parse_net_config_data(document)
        return {"state": dict(state._network_state, config=None)}
    r = renderer(question["renderer"])
    state = network_state.parse_net_config_data(document, renderer=r)
    with tempfile.TemporaryDirectory() as root:
        r.render_network_state(state, target=root)
        return {"files": files_below(root)}


def main():
    logging.disable(logging.CRITICAL)
    answers = []
    for question in json.load(sys.stdin):
        by_mac = {mac: name for name, mac in (question.get("nics") or {}).items()}
        which = lambda program, *a, **k: "/sbin/ip" if program == "ip" and question.get("ip") else None
        with mock.patch.object(network_state, "get_interfaces_by_mac", lambda *a, **k: by_mac), mock.patch.object(
            network_state, "find_interface_name_from_mac", by_mac.get, create=True
        ), mock.patch.object(subp, "which", which), mock.patch.object(subp, "subp", lambda *a, **k: ("", "")), mock.patch.object(
            util, "chownbyname", lambda *a, **k: None
        ):
            try:
                answers.append(answer(question, by_mac))
            except Exception as e:  # whatever it is: that is the answer
                answers.append({"error": "%s: %s" % (type(e).__name__, e)})
    json.dump(answers, sys.stdout, default=str)


main()

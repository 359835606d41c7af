"""What is in an image, read from the OCI archive itself: check.py sidecar|emulator ARCHIVE EPOCH."""

import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

LARGEST = 15_000_000
MANIFEST = tomllib.loads(Path("Cargo.toml").read_text())
# What the package takes from the workspace stands there.
PACKAGE = {key: MANIFEST["workspace"]["package"][key] if value == {"workspace": True} else value for key, value in MANIFEST["package"].items()}


def read(archive: str) -> tuple[dict, dict[str, tuple[tarfile.TarInfo, bytes]], int]:
    """The configuration, the files, and the bytes that they take on a node."""
    with tarfile.open(archive) as outer:

        def blob(digest: str) -> bytes:
            content = outer.extractfile("blobs/" + digest.replace(":", "/")).read()
            assert digest == "sha256:" + hashlib.sha256(content).hexdigest()
            return content

        index = json.load(outer.extractfile("index.json"))
        manifest = json.loads(blob(index["manifests"][0]["digest"]))
        assert len(manifest["layers"]) == 1, "one layer"
        with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]["digest"])), mode="r:gz") as layer:
            files = {entry.name: (entry, layer.extractfile(entry).read()) for entry in layer if entry.isfile()}
            others = [entry.name for entry in layer if not entry.isfile()]
        assert not others, f"not files: {others}"
        return json.loads(blob(manifest["config"]["digest"])), files, sum(len(content) for _, content in files.values())


def check_config(config: dict) -> None:
    run = config["config"]
    assert run["User"] == "65532:65532" and run["Entrypoint"] == ["/faas-sidecar"] and run["Cmd"] == ["serve"], run
    assert not {"ExposedPorts", "Volumes", "Shell", "Healthcheck"} & set(run), run
    assert [name.split("=")[0] for name in run["Env"]] == ["PATH"], run["Env"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in run["Labels"].items()}
    revision = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    wanted = {"title": PACKAGE["name"], "description": PACKAGE["description"], "version": PACKAGE["version"], "licenses": PACKAGE["license"]}
    assert labels.items() >= (wanted | {"revision": revision}).items(), labels
    assert labels["created"] == config["created"], "both are the commit's time"


def check_binary(content: bytes) -> None:
    assert content[:5] == b"\x7fELF\x02", "a 64-bit ELF file"
    (kind,), (table,), (count,) = (struct.unpack_from(form, content, at) for form, at in (("<H", 16), ("<Q", 32), ("<H", 56)))
    segments = [struct.unpack_from("<I", content, table + 56 * number)[0] for number in range(count)]
    assert kind == 3 and 3 not in segments, "position independent, and no interpreter: the kernel loads it alone"
    for path in (str(Path.home() / ".cargo"), str(Path.home() / ".rustup"), str(Path.cwd())):
        assert path.encode() not in content, f"holds the path {path}"


def check_materials(name: str, content: bytes, binary: bytes) -> int:
    if error := JsonStrictValidator(SchemaVersion.V1_5).validate_str(content.decode()):
        raise AssertionError(f"not CycloneDX 1.5: {error}")
    materials = json.loads(content)
    main = materials["metadata"]["component"]
    assert (main["name"], main["version"]) == (PACKAGE["name"], PACKAGE["version"]), main
    listed = {(part["name"], part["version"]) for part in materials["components"] if part.get("purl", "").startswith("pkg:cargo/")}
    # The binary bears witness: each crate that can panic has left its name and version in it.
    witnessed = {tuple(found.decode().rsplit("-", 1)) for found in re.findall(rb"/crates/([a-z0-9_-]+-\d+\.\d+\.\d+)[^/]*/", binary)}
    assert len(witnessed) > 30 and witnessed <= {(crate, re.match(r"[\d.]+", version)[0]) for crate, version in listed}, f"not listed: {witnessed - listed}"
    names = {crate for crate, _ in listed}
    assert ("rquickjs" in names) == (name == "emulator")
    assert not {"proptest", "tempfile", "rcgen", "protox", "syn", "serde_derive"} & names, "lists crates of tests or of the build"
    unlicensed = [part["name"] for part in materials["components"] if not part.get("licenses")]
    assert not unlicensed, f"without a licence: {unlicensed}"
    parts = {part["name"]: part for part in materials["components"]}
    assert parts["glibc"]["version"] and parts["rust-std"]["version"], "what the linker adds"
    return len(listed)


def main() -> None:
    name, archive, epoch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    config, files, size = read(archive)
    check_config(config)
    facts = {path: (oct(entry.mode), entry.uid, entry.gid, entry.mtime) for path, (entry, _) in files.items()}
    assert facts == {"faas-sidecar": ("0o555", 0, 0, epoch), "faas-sidecar.cdx.json": ("0o444", 0, 0, epoch)}, facts
    assert size <= LARGEST, f"{size} bytes are more than {LARGEST}"
    check_binary(files["faas-sidecar"][1])
    crates = check_materials(name, files["faas-sidecar.cdx.json"][1], files["faas-sidecar"][1])
    print(f"{name}: {size:,} bytes, {Path(archive).stat().st_size:,} compressed; two files of root's, user 65532; static; {crates} crates in the bill of materials")


main()

"""Downloads, from a server on this machine that answers as the real ones do."""

import gzip
import hashlib
import http.server
import io
import json
import subprocess
import tarfile
import threading
from urllib.parse import parse_qs, urlparse

import nibabel
import numpy as np
import pytest

from skad.datasets import fetch, fetch_ixi, fetch_open_ms, fetch_stroke, load_bids

pytest.importorskip("pooch", reason="needs pooch: pip install 'skad[data]'")


def image(value):
    """Bytes of a small NIfTI file."""
    return nibabel.Nifti1Image(np.full((7, 8, 9), value, np.float32), np.diag([2.0, 3, 4, 1])).to_bytes()


def compressed(value):
    """The same, as .nii.gz."""
    return gzip.compress(image(value), mtime=0)


FILES = {
    "ds004889/dataset_description.json": b"{}",
    "ds004889/sub-1/anat/sub-1_FLAIR.nii.gz": compressed(1),
    "ds004889/sub-1/anat/sub-1_T2star.nii.gz": compressed(2),
    "ds004889/sub-1/dwi/sub-1_dwi.nii.gz": compressed(3),
    "ds004889/derivatives/lesions/sub-1/anat/sub-1_label-lesion_mask.nii.gz": compressed(1),
    "ds004889/sub-2/anat/sub-2_FLAIR.nii.gz": compressed(4),
}


class Bucket(http.server.BaseHTTPRequestHandler):
    """Lists two objects a page, and gives objects."""

    def do_GET(self):
        url = urlparse(self.path)
        self.server.asked.append(url.path)
        body = self.server.files.get(url.path.lstrip("/")) or self._page(parse_qs(url.query))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self, query):
        start = int(query.get("continuation-token", ["0"])[0])
        keys = sorted(key for key in FILES if key.startswith(query["prefix"][0]))
        items = "".join(
            f'<Contents><Key>{key}</Key><ETag>"{hashlib.md5(FILES[key]).hexdigest()}"</ETag></Contents>'
            for key in keys[start : start + 2]
        )
        more = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if start + 2 < len(keys) else ""
        xmlns = "http://s3.amazonaws.com/doc/2006-03-01/"
        return f'<ListBucketResult xmlns="{xmlns}">{items}{more}</ListBucketResult>'.encode()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    server.files, server.asked = dict(FILES), []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_subject_comes_with_its_lesion_and_nothing_else(server, tmp_path):
    folder = fetch_stroke(tmp_path, subjects=["1"], url=address(server))
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "dataset_description.json",
        "sub-1/anat/sub-1_FLAIR.nii.gz",
        "derivatives/lesions/sub-1/anat/sub-1_label-lesion_mask.nii.gz",
    }
    (volume,) = load_bids(folder)
    assert volume.has_labels


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_is_there_is_not_downloaded_again(server, tmp_path):
    fetch_stroke(tmp_path, url=address(server))
    server.asked.clear()
    fetch_stroke(tmp_path, url=address(server))
    assert set(server.asked) == {"/"}  # the listing


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_that_was_damaged_on_the_way_is_refused(server, tmp_path):
    server.files["ds004889/sub-2/anat/sub-2_FLAIR.nii.gz"] = b"damaged"
    with pytest.raises(ValueError, match="sub-2_FLAIR"):
        fetch_stroke(tmp_path, subjects=["2"], url=address(server))
    assert not list(tmp_path.rglob("sub-2_FLAIR.nii.gz"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_data_set_that_the_server_does_not_list_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "STROKE", "ds999999")
    with pytest.raises(ValueError, match="lists no file of ds999999"):
        fetch_stroke(tmp_path, url=address(server))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_archive_becomes_a_bids_folder(server, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        content = compressed(5)
        member = tarfile.TarInfo("IXI002-Guys-0828-T2.nii.gz")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    checksum = hashlib.md5(buffer.getvalue()).hexdigest()
    monkeypatch.setitem(fetch.IXI_ARCHIVES, "T2w", ("IXI-T2.tar", checksum))
    server.files["IXI-T2.tar"] = buffer.getvalue()
    (volume,) = load_bids(fetch_ixi(tmp_path, contrasts=["T2w"], url=address(server)))
    assert (volume.subject, volume.contrasts["T2w"].max()) == ("sub-IXI002", 5)


def test_a_contrast_that_ixi_does_not_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match="T1w, T2w, PDw, got 'FLAIR'"):
        fetch_ixi(tmp_path, contrasts=["FLAIR"])


@pytest.fixture
def repository(server, tmp_path):
    """A revision of two patients on the server; its hashes are those that Git itself computes."""
    contents = {
        f"cross_sectional/coregistered/patient{number}/{name}.nii.gz": compressed(value)
        for number, value in (("01", 3), ("02", 4))
        for name, value in (("FLAIR", value), ("T2W", 7), ("consensus_gt", 1), ("brainmask", 1))
    }
    contents["cross_sectional/raw/patient01/FLAIR.nii.gz"] = compressed(9)
    tree = [{"path": path, "sha": git_hash(content)} for path, content in contents.items()]
    server.files |= {f"files/main/{path}": content for path, content in contents.items()}
    server.files["trees/main"] = json.dumps({"tree": tree, "truncated": False}).encode()
    return {
        "folder": tmp_path,
        "revision": "main",
        "url": f"{address(server)}/files",
        "trees": f"{address(server)}/trees",
    }


def git_hash(content):
    return (
        subprocess.check_output(["git", "hash-object", "--stdin"], input=content, text=False).decode().strip()
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_repository_becomes_a_bids_folder(repository):
    folder = fetch_open_ms(contrasts=["FLAIR"], subjects=["02"], **repository)
    (volume,) = load_bids(folder)
    assert (volume.subject, list(volume.contrasts), volume.contrasts["FLAIR"].max()) == (
        "sub-02",
        ["FLAIR"],
        4,
    )
    assert volume.has_labels and volume.has_mask


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_that_differs_from_the_hash_of_git_is_refused(server, repository):
    name = "cross_sectional/coregistered/patient01/FLAIR.nii.gz"
    folder = fetch_open_ms(subjects=["01"], **repository)
    (folder / "sub-01/anat/sub-01_FLAIR.nii.gz").write_bytes(b"damaged")
    server.asked.clear()
    fetch_open_ms(subjects=["01"], **repository)
    assert set(server.asked) == {"/trees/main", f"/files/main/{name}"}  # only that is downloaded again
    server.files[f"files/main/{name}"] = b"changed"
    (folder / "sub-01/anat/sub-01_FLAIR.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"patient01/FLAIR.* differs from its hash"):
        fetch_open_ms(subjects=["01"], **repository)
    assert not list(folder.rglob("sub-01_FLAIR.nii.gz"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"subjects": ["01", "31"]}, "does not hold sub-31"), ({"contrasts": ["T1W"]}, r"among FLAIR, .*'T1W'")],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_a_repository_does_not_hold_is_told(repository, options, message):
    with pytest.raises(ValueError, match=message):
        fetch_open_ms(**repository, **options)

"""Data sets by download: the IDX files of MNIST and Fashion-MNIST, checked by SHA-256 and kept in a cache."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .errors import DataError, ToolError

DATA_DIRECTORY = "STOCHASTOR_DATA_DIR"
CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Download:
    """Where a data set is to be had.

    Parameters
    ----------
    mirrors : tuple of str
        Addresses of its files without their names, each ending with a slash; tried in this order.
    sha256 : mapping of str to str
        Its files by name, and their digests (hexadecimal).
    installed : Path, optional
        Where a system package puts the set; goes before the mirrors.
    """

    mirrors: tuple[str, ...]
    sha256: Mapping[str, str]
    installed: Path | None = None


DOWNLOADS = {
    "mnist": Download(
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        sha256={
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion-mnist": Download(
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        sha256={
            "train-images-idx3-ubyte.gz": "08dc20ab1689590a0bcd66e874647b6ee8464e2d501b5a3f1f78831db19a3fdc",
            "train-labels-idx1-ubyte.gz": "b0197879cbda89f3dc7b894f9fd52b858e68ea4182b6947c9d8c2b67e5f18dcc",
            "t10k-images-idx3-ubyte.gz": "78dcbbfb5a27efaf1b6c1d616caca68560be8766c5bffcb2791df9273a534229",
            "t10k-labels-idx1-ubyte.gz": "42bd18137a62d5998cdeae52bf3a0676ac6b706f5cf8439b47bb5b151ae3dccf",
        },
        installed=Path("/usr/share/datasets/fashion-mnist"),
    ),
}


def fetch(name: str) -> Path:
    """Have the files of the data set `name`, a key of `DOWNLOADS`, on this machine.

    A system package's files are taken as they are. Else the files are downloaded into the directory `name` of the
    cache, which is ``$STOCHASTOR_DATA_DIR`` or, where that is not set, the user's cache directory. A file is kept only
    if it is whole and of the right digest, and is not downloaded again.

    Returns
    -------
    Path
        The directory of the files.

    Raises
    ------
    DataError
        If a file cannot be had from any mirror, or not be written.
    ToolError
        If pooch is not installed.
    """
    source = DOWNLOADS[name]
    if source.installed and all((source.installed / file).is_file() for file in source.sha256):
        return source.installed
    if find_spec("pooch") is None:
        raise ToolError(f"{name} needs pooch for its download: pip install 'stochastor[data]', or use idx:DIR without")
    directory = _cache() / name
    for file in source.sha256:
        _fetch_file(name, source, file, directory)
    return directory


def _cache() -> Path:
    import pooch

    given = os.environ.get(DATA_DIRECTORY)
    return Path(given).expanduser() if given else Path(pooch.os_cache("stochastor"))


def _fetch_file(name: str, source: Download, file: str, directory: Path) -> None:
    import pooch
    from requests.exceptions import RequestException

    visible = sys.stderr.isatty() and find_spec("tqdm") is not None
    downloader = pooch.HTTPDownloader(progressbar=visible, chunk_size=CHUNK)
    faults = []
    for mirror in source.mirrors:
        try:
            pooch.retrieve(mirror + file, f"sha256:{source.sha256[file]}", file, directory, downloader=downloader)
            return
        except RequestException as error:
            faults.append(f"{mirror}{file} {_fault(error)}")
        except ValueError:  # pooch's word for another digest
            faults.append(f"{mirror}{file} is damaged: its SHA-256 is not {source.sha256[file]}")
        except OSError as error:
            reason = error.strerror or str(error).splitlines()[0]
            raise DataError(
                f"{name}: {directory} cannot be used as cache: {reason}; "
                f"set {DATA_DIRECTORY} to a directory that can be written"
            ) from None
    raise DataError(
        f"{name}: {'; '.join(faults)}; try again later, or fetch the four files in another way, put them into a "
        f"directory and name it with idx:DIR"
    )


def _fault(error: OSError) -> str:
    from requests.exceptions import ChunkedEncodingError, HTTPError, ReadTimeout

    if isinstance(error, HTTPError) and error.response is not None:
        return f"is refused: {error.response.status_code} {error.response.reason}"
    return "broke off" if isinstance(error, ChunkedEncodingError | ReadTimeout) else "cannot be reached"

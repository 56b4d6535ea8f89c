"""The folder of a Hugging Face dataset: data/train-*.parquet and the card that describes them.

The card is published last: until it is, it says of how many rows the data should be, and
`datasets` refuses data of another number.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from batcher.errors import OutputError
from batcher.outputs.card import NAME, Data, Origin, card
from batcher.outputs.features import features
from batcher.outputs.figures import Figures
from batcher.outputs.formats import Kind
from batcher.outputs.front_matter import Metadata, kept_metadata
from batcher.outputs.partitions import Partitions
from batcher.outputs.publication import Publication, writing

_DATA = "data"


def prepare(directory: Path, kind: Kind, schema: pa.Schema) -> Metadata:
    """Make the folder for the data; leave alone what is none of ours.

    Returns the metadata that the user added to the card of an earlier export.

    Raises:
        OutputError: `datasets` cannot hold the schema; or a card or data that batcher did not write
            would be replaced.
    """
    features(schema)
    kept = kept_metadata(directory / NAME)
    data = directory / _DATA
    try:
        data.mkdir(exist_ok=True)
        theirs = [path for path in data.iterdir() if kind.may_be(f"{_DATA}/{path.name}")]
    except OSError as error:
        raise OutputError(f"cannot create {data}: {error.strerror}") from None
    if theirs and not (directory / NAME).exists():
        raise OutputError(
            f"{data} holds {theirs[0].name} but no card: it is no dataset of batcher's. Move it "
            "away, or name another directory with --to"
        )
    return kept


def add_card(
    published: Publication, results: Partitions, figures: Figures, origin: Origin, kept: Metadata
) -> None:
    """Draft the card of data that is written, but not yet published; `kept` is the user's part.

    Raises:
        OutputError, StorageError: it cannot be created or written.
    """
    # As a reader sees it: Parquet turns some types into others, such as seconds to milliseconds.
    schema = pq.read_schema(results.files[0]).remove_metadata()
    data = Data(
        pattern=f"{_DATA}/train-*",
        schema=schema,
        features=features(schema, origin.images),
        rows=results.rows,
        bytes=results.bytes,
        download=sum(path.stat().st_size for path in results.files),
    )
    draft = published.draft(NAME)
    with writing(draft.target):
        draft.file.write(card(data, figures, origin, kept))

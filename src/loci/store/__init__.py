"""Durable records, content-addressed blobs and exact vector search."""

from loci.store.errors import StoreError
from loci.store.store import Record, Store, memory_path
from loci.store.vectors import GrowingArray, VectorIndex

__all__ = ["GrowingArray", "Record", "Store", "StoreError", "VectorIndex", "memory_path"]

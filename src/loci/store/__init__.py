"""Durable records, content-addressed blobs, and arrays that grow."""

from loci.store.errors import StoreError
from loci.store.store import Record, Store, memory_path
from loci.store.vectors import GrowingArray

__all__ = ["GrowingArray", "Record", "Store", "StoreError", "memory_path"]

"""The worker: runs under any Python from 3.9 on that has numpy and habitat_sim, and imports nothing else of Loci."""

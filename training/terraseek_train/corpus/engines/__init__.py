"""Where shard tasks run: in this process, or in a pool of processes."""

"""Updates of a camera's system: bundles, which slot starts, installing, and whether a new system proves itself."""

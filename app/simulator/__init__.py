"""A simulator of Azure: the surface that the real SDKs call, on one loopback port."""

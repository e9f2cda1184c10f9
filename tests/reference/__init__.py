"""Tests that compare with the captures in the folder that DIGEST_REFERENCE names."""

"""Which vectors are nearest? A unit vector in, cosines by chunk id out; trusts no index file whose checksum fails."""

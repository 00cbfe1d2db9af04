"""The TWS wire in front of any broker, on loopback: what the real client library talks to, at version 178."""

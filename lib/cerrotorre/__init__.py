"""The Cerro Torre library: what the tools share. Imports run one way; see spec/architecture.adoc."""

VERSION = "0.1.0"

"""Take a user out of service for a while, and give it back: a time-boxed action at a SCIM 2.0 identity provider.

provider         a provider for a trial, on this machine
switchgear.toml  the gear: where the provider is, and its tools
contain          the program: contains one user, and waits for the end
"""

"""Tool contracts: what a tool was when it was last accepted, and the gate that stops one which has changed.

book     the accepted contracts, and what a change means: pure
gate     refuses what is not the contract that was accepted
keeper   reads and writes the accepted contracts: one row and one stream a tool, in the platform's scope

What may not live here: what a contract is made of (execution's `Tool` says that).
"""

"""Destructive actions: they leave only while everything that they require is known to be well.

force    a person's word that lets one attempt leave all the same: what it is good for, and for how long
gate     refuses what a dependency does not vouch for

What may not live here: how a dependency comes to stand where it stands, and the words of a refusal: health has both.
"""

"""`python -m switchgear`: the same as the console script."""

from __future__ import annotations

if __name__ == "__main__":
    from switchgear.launch import main

    main()

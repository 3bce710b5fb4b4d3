"""python -m cotnb"""

from cotnb.cli import main

main()

"""The kinds of rule that a rulebook knows: one file each, with its fields, its checks and its words."""

"""WeCom customer tagging: the package root stays empty so that importing a part never loads the whole."""

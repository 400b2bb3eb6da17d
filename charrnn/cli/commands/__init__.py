"""The commands, one module each; the module is imported when its command is called."""

"""The monitor: shows servers and actions in browsers and passes operators' commands on."""

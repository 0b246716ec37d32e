"""What is only looked at: views of shots and servers, in pages, and what actions wait for. Pure."""

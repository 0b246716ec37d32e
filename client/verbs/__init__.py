"""One function per command: it checks its arguments, and returns the call that carries it out.

    from shotline.client.verbs import shot_verbs

    with Supervisor() as shotline:
        report = shotline.ask(shot_verbs.do_phase("INIT", "TEST", 42))

`shotline.do_phase("INIT", "TEST", 42)` is the same: supervisors have a method for each of them.
"""

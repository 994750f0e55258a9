from tests.faults import campaign


def pytest_terminal_summary(terminalreporter):
    if campaign.TALLIES:
        terminalreporter.section("faults")
        for line in campaign.report():
            terminalreporter.line(line)

"""The server outlives its clients' mistakes."""

from __future__ import annotations

from collections import Counter

from client import DeadlineExceeded, InvalidRequest, ServiceUnavailable, SpeechError, VoiceNotFound


def test_hundreds_of_wrong_and_abandoned_requests_leave_the_server_well(service, synthesizer, eight):
    def send(number):
        try:
            if number % 10 == 0:
                synthesizer.synthesize("你好。")
            elif number % 10 < 4:
                synthesizer.synthesize("今天天气真好。" * 10, timeout=0.03 * (1 + number % 7))
            elif number % 2:
                synthesizer.synthesize("！！！")
            else:
                synthesizer.synthesize("你好", voice="nobody")
        except SpeechError as error:
            return type(error)
        return None

    results = Counter(eight.map(send, range(500)))
    assert results[VoiceNotFound] == 150
    assert results[InvalidRequest] == 150
    assert results[None] >= 50, "what can be answered is answered"
    # Unavailable is what could not have started before its deadline.
    assert set(results) <= {None, VoiceNotFound, InvalidRequest, DeadlineExceeded, ServiceUnavailable}
    assert service.running
    assert synthesizer.health().healthy

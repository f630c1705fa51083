# SPDX-License-Identifier: Apache-2.0
"""Suricata's expectations of mail in weir's words: smtp_count, and file_count where the file came by SMTP. See peers.py."""
import corpus

IGNORED = {'event', 'any', 'suri:proto', 'suri:pcap_cnt', 'suri:app_proto', 'suri:fileinfo.stored', 'gaps', 'dport', 'sport', 'src', 'dst'}
NAMES = {
    'suri:smtp.helo': 'smtp.helo', 'suri:smtp.mail_from': 'smtp.mail_from', 'suri:email.from': 'email.from',
    'smtp.mail_from': 'smtp.mail_from', 'email.from': 'email.from', 'suri:email.subject': 'email.subject',
}
LISTS = {'rcpt_to': 'smtp.rcpt_to', 'attachment': 'email.attachments.file.name'}


def listed(record, name):
    """The value of suri:smtp.rcpt_to[0] and its kind; None where there is none."""
    base, _, index = name.rstrip(']').partition('[')
    if base.endswith('email.to'):
        return corpus.dig(record, 'email.to') if index == '0' else None  # one header, as it came
    values = corpus.dig(record, LISTS[base.rsplit('.', 1)[-1]]) or []
    return values[int(index)] if int(index) < len(values) else None


def value_of(record, name, index):
    if name in NAMES:
        return corpus.dig(record, NAMES[name])
    if '[' in name:
        return listed(record, name)
    return {'suri:email.status': 'PARSE_DONE' if record['completeness'] == 'complete' else 'incomplete',
            'suri:tx_id': index, 'suri:fileinfo.tx_id': index}.get(name, 'unmapped: ' + name)


def differs(fields, record, index):
    for name, want in fields.items():
        if name == 'suri:not-has-key':
            have = [key for key in ([want] if isinstance(want, str) else want) if value_of(record, key, index) is not None]
            if have:
                return 'has %s' % have
        elif name not in IGNORED and value_of(record, name, index) != want:
            return '%s: want %s, have %s' % (name, want, value_of(record, name, index))
    return None


def transactions(capture):
    """[(record, its place in its flow)]"""
    places, found = {}, []
    for record in sorted((r for r in capture.records if r['type'] == 'smtp'), key=lambda r: r['ts']):
        found.append((record, places.get(record['flow_id'], 0)))
        places[record['flow_id']] = found[-1][1] + 1
    return found


def smtp_count(row, capture, taken):
    reasons = [differs(row['fields'], record, index) for record, index in transactions(capture)]
    have = reasons.count(None)
    return None if have == int(row['count']) else 'count: want %s, have %d %s' % (row['count'], have, [r for r in reasons if r][:2])


def smtp_files(row, capture):
    """file_count: each file of a message."""
    fields = dict(row['fields'])
    want = {name: fields.pop(name) for name in ('filename', 'size', 'sha256', 'state') if name in fields}
    have, seen = 0, []
    for record, index in transactions(capture):
        files = corpus.dig(record, 'email.attachments.file') or {'name': []}
        for i, name in enumerate(files['name']):
            digest = files['hash']['sha256'][i]
            file = {'filename': name, 'size': files['size'][i], 'sha256': digest, 'state': 'CLOSED' if digest else 'TRUNCATED'}
            problem = differs(fields, record, index) or [key for key in want if want[key] != file[key]]
            have += not problem
            seen.append(problem)
    return None if have == int(row['count']) else 'count: want %s, have %d %s' % (row['count'], have, seen[:2])

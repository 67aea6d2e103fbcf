import { expect, test } from 'vitest'
import { formatJoinFile, type JoinFile, parseJoinFile } from './join-file.ts'

const FILE: JoinFile = {
  hutong: 'join',
  fed: 'demo-1',
  code: '450000',
  zh: '广西',
  en: 'Guangxi',
  hub: 'https://hub.example',
  brokers: 'tls://hub.example:4222',
  ca: null,
  anchor: 'A'.repeat(43),
  ticket: 'B'.repeat(22),
  secret: 'C'.repeat(43),
  expires: '2026-11-30T00:00:00.000Z',
}

test('a join file is read as it was written', () => {
  expect(parseJoinFile(formatJoinFile(FILE), 'x')).toEqual(FILE)
})

test.each([
  ['hutong', 'invite'],
  ['fed', 'Demo 1'],
  ['code', '45000'],
  ['hub', 'ftp://hub.example'],
  ['brokers', 'http://hub.example'],
  ['anchor', 'short'],
  ['secret', 'guessed'],
  ['expires', 'tomorrow'],
  ['ca', 7],
])('refuses a file whose %s is wrong, and quotes nothing of it', (name, value) => {
  const text = JSON.stringify({ ...FILE, [name]: value })
  expect(() => parseJoinFile(text, 'x')).toThrow(`JOIN_FILE_INVALID: x: ${name} is`)
})

test('refuses what is no JSON object', () => {
  for (const text of ['', 'null', '"x"']) expect(() => parseJoinFile(text, 'x')).toThrow('JOIN_FILE_INVALID')
})

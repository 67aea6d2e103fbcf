import { describe, expect, test } from 'vitest'
import { formatCard } from './card.ts'

const place = (port: number) => ({
  zh: '云南',
  en: 'Yunnan',
  url: `http://127.0.0.1:${port}`,
  operator_token_file: '/srv/token',
  log_file: '-',
})
const FILE = {
  fed: 'demo-1',
  membership_file: '-',
  launcher_pid: 1,
  hub: { url: 'http://127.0.0.1:20000' },
  nodes: { '530000': place(20001), '000000': place(20002) },
  started_at: '-',
}
const CARD = { file: FILE, home: '/srv/my data', logs: '/srv/my data/logs', seconds: 7.84, example: null }

describe('the card', () => {
  test('names every address, data and logs, four commands and how to stop, in both languages', () => {
    const text = formatCard({ ...CARD, example: { at: '530000', dataset: 'entity', key: 'k 1' } }, true)
    for (const part of [
      'http://127.0.0.1:20000',
      'http://127.0.0.1:20001',
      'http://127.0.0.1:20002',
      '/srv/my data/logs',
      '停止',
      'Stop: Ctrl-C',
    ]) {
      expect(text).toContain(part)
    }
    expect(text).toContain("npm run -s hutong -- show entity 'k 1' --at 530000")
    expect(text).toContain('    npm run -s hutong -- status')
    expect(text).toContain('    npm run -s hutong -- audit verify --at ')
    expect(text).toContain(
      'curl -s -H "Authorization: Bearer $(cat /srv/token)" \'http://127.0.0.1:20002/v1/statistics/trades?by=region,month\'',
    )
  })

  test('gives commands that find a folder of one’s own', () => {
    expect(formatCard(CARD, false)).toContain("HUTONG_HOME='/srv/my data' npm run -s hutong -- status")
  })
})

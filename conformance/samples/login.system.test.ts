/** What `npm start` offers: a company of one province, with the sample certificate that the start made, at the trading system of another. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { logIn } from '../../console/login/flow.ts'
import { holdKey, readKeyFiles, webCryptoSigner } from '../../console/login/software-key.ts'
import { doorOf, openBrowser, openPage } from '../exchange/login-browser.ts'
import { formatCard } from '../federation/card.ts'
import { type Federation, startFederation } from '../federation/federation.ts'
import { DEMO_MEMBERS } from '../federation/members.ts'
import { sampleUscc } from '../federation/sample-login.ts'

const VENUE = '520000'
const HOME = '530000'

let home = ''
let federation: Federation
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hutong-login-'))
  federation = await startFederation({
    home,
    members: DEMO_MEMBERS.filter(({ code }) => [VENUE, HOME, '000000'].includes(code)),
    onProgress: () => {},
    signal: new AbortController().signal,
  })
}, 240_000)
afterAll(async () => {
  await federation?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

test('the sample company of Yunnan logs in at the sample trading system of Guizhou, out of its PEM file, as the card says', async () => {
  const { file } = federation
  const card = formatCard({ file, home, logs: '-', seconds: 1, example: null }, true)
  const start = `${file.samples?.url}/login/${VENUE}`
  const holder = file.nodes[HOME]?.holder_file ?? ''
  expect(card).toContain(start)
  expect(card).toContain(holder)

  const browser = openBrowser()
  const atShop = await browser.request(start)
  const { url, html } = await openPage(browser, new URL(atShop.headers.get('location') ?? ''))
  expect(html).toContain('贵州样例交易系统')
  const key = await holdKey(await readKeyFiles([new Uint8Array(await readFile(holder))], ''))
  const signer = webCryptoSigner(key, { id: 'file', zh: '文件', en: 'file' })
  let next = await logIn(doorOf(browser, url), signer)
  let answer = await browser.request(next)
  while (answer.headers.has('location')) {
    next = new URL(answer.headers.get('location') ?? '', next).href
    answer = await browser.request(next)
  }
  const page = await answer.text()
  expect([answer.status, page.includes(sampleUscc(HOME)), page.includes('云南示例建设有限公司')]).toEqual([200, true, true])
  expect((await browser.request(next)).status).toBe(400)
  for (const log of [file.nodes[VENUE]?.log_file, file.nodes[HOME]?.log_file, file.samples?.log_file]) {
    const said = await readFile(log ?? '', 'utf8')
    expect([log, said.length > 0, said.includes(sampleUscc(HOME)), said.includes('云南示例建设有限公司')]).toEqual([
      log,
      true,
      false,
      false,
    ])
  }
})

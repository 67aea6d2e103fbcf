/** The card: what a newcomer reads when the federation runs. Where it is, what to try, how to stop. */
import type { FederationFile } from '../../console/terminal/federation-file.ts'

export type Card = {
  readonly file: FederationFile
  readonly home: string
  readonly logs: string
  readonly seconds: number
  /** the member whose records the example shows, the one that is asked for them, and a record if there is one yet */
  readonly example: { readonly at: string; readonly dataset: string; readonly key: string } | null
}

const RULE = '─'.repeat(78)

/** The national reader holds all; without one, any node will do. */
const readerOf = (file: FederationFile) => file.nodes['000000'] ?? Object.values(file.nodes)[0] ?? file.hub

export function formatCard({ file, home, logs, seconds, example }: Card, homeIsDefault: boolean): string {
  const hutong = `${homeIsDefault ? '' : `HUTONG_HOME=${quoted(home)} `}npm run -s hutong --`
  const nodes = Object.entries(file.nodes).map(([code, node]) => `  ${code}  ${node.url}  ${node.zh} ${node.en}`)
  const show =
    example === null ? 'show entity <key> --at 520000' : `show ${example.dataset} ${quoted(example.key)} --at ${example.at}`
  const { url: reader, operator_token_file: tokenFile = '' } = readerOf(file)
  const bearer = `-H "Authorization: Bearer $(cat ${quoted(tokenFile)})"`
  const figure =
    file.nodes['000000'] === undefined ? `${reader}/v1/trade?limit=2` : `${reader}/v1/statistics/trades?by=region,month`
  return [
    RULE,
    `互通 Hutong · ${file.fed} · 已就绪 ready (${seconds.toFixed(1)} s)`,
    '',
    `  枢纽 hub ${file.hub.url}`,
    ...nodes,
    ...(file.samples === undefined ? [] : [`  样例 samples ${file.samples.url}`]),
    '',
    `  数据 data  ${home}`,
    `  日志 logs  ${logs}`,
    '',
    '  试一试 Try, in another terminal:',
    `    ${hutong} status`,
    `    curl -s ${bearer} '${figure}'`,
    `    ${hutong} audit verify --at ${Object.keys(file.nodes)[0] ?? 'hub'}`,
    `    ${hutong} ${show}`,
    ...loginLines(file),
    '',
    '  停止：在此终端按 Ctrl-C；再次 npm start 继续使用同一数据。',
    '  Stop: Ctrl-C in this terminal; the next npm start goes on with the same data.',
    RULE,
    '',
  ].join('\n')
}

/** A company of one province logs in at the trading system of another. */
function loginLines({ samples, nodes }: FederationFile): string[] {
  const [venue, home] = Object.entries(nodes).filter(([, { login_url: url }]) => url !== undefined)
  if (samples === undefined || venue === undefined || home?.[1].holder_file === undefined) return []
  return [
    '',
    `  证书登录：在浏览器打开下列网址，选“证书文件”，用${home[1].zh}的样例证书登录${venue[1].zh}的交易系统。`,
    `  Certificate login: open this, choose "certificate file", and log in at ${venue[1].en} with the sample certificate of ${home[1].en}.`,
    `    ${samples.url}/login/${venue[0]}`,
    `    ${home[1].holder_file}`,
  ]
}

/** For a POSIX shell, only where it is needed. */
const quoted = (text: string): string => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`)

/**
 * Everything that a member could try at the broker, and what it may: written from the federation's rules, not from the accounts' rows.
 * A cell is one member trying one thing. What counts is whether it had an effect elsewhere, or any answer, not what error was shown.
 */
import { AUDIENCES, CODES } from './permission-ground.ts'

/** who may hold what is said to an audience */
const HOLDERS: { readonly [audience: string]: readonly string[] } = {
  all: ['530000', '520000', '530100', '000000'],
  national: ['000000'],
  'alliance-south': ['530000', '530100'],
  'node-530000': ['530000'],
  'node-520000': ['520000'],
  'node-530100': ['530100'],
  'node-000000': ['000000'],
}
const PROGRAMS = [...CODES, 'hub']
/** whose logs there are; the hub's is the membership log */
const ORIGINS = PROGRAMS
const KINDS = ['range', 'redactions', 'snapshot', 'receipts', 'standing', 'heads', 'forks', 'proof', 'membership']

/** Something said, and where its effect would show. */
export type Saying = {
  readonly subject: string
  readonly shows:
    | { readonly at: 'stream'; readonly origin: string }
    | { readonly at: 'hub'; readonly subject: string }
    | { readonly at: 'member'; readonly code: string; readonly subject: string }
  readonly may: boolean
}

/** What would show in one's own account alone is one's own affair. */
export const sayings = (me: string): Saying[] => everySaying(me).filter(({ shows }) => shows.at !== 'member' || shows.code !== me)

const everySaying = (me: string): Saying[] => [
  { subject: 'log.hub.membership.all', shows: { at: 'stream', origin: 'hub' }, may: false },
  ...ORIGINS.flatMap(origin =>
    AUDIENCES.map(
      (audience): Saying => ({
        subject: `log.${origin}.entity.${audience}`,
        shows: { at: 'stream', origin },
        may: origin === me,
      }),
    ),
  ),
  { subject: `log.${me}`, shows: { at: 'stream', origin: me }, may: false },
  { subject: `log.${me}.entity`, shows: { at: 'stream', origin: me }, may: false },
  { subject: `log.${me}.entity.all.more`, shows: { at: 'stream', origin: me }, may: false },
  ...ORIGINS.flatMap(origin =>
    AUDIENCES.flatMap((audience): Saying[] => [
      {
        subject: `head.${origin}.${audience}`,
        shows: { at: 'hub', subject: `heard.${origin}.${audience}` },
        may: origin === me,
      },
      { subject: `heard.${origin}.${audience}`, shows: { at: 'hub', subject: `heard.${origin}.${audience}` }, may: false },
    ]),
  ),
  ...CODES.map(
    (code): Saying => ({
      subject: `receipt.${code}`,
      shows: { at: 'member', code, subject: `receipt.${code}` },
      may: false,
    }),
  ),
  ...PROGRAMS.flatMap(holder =>
    PROGRAMS.flatMap(asker =>
      KINDS.flatMap((kind): Saying[] => {
        const subject = `asked.${holder}.${kind}.${asker}`
        const shows = holder === 'hub' ? ({ at: 'hub', subject } as const) : ({ at: 'member', code: holder, subject } as const)
        return [
          { subject: `ask.${holder}.${kind}.${asker}`, shows, may: asker === me },
          { subject, shows, may: false },
        ]
      }),
    ),
  ),
]

/** Something listened to; what would be heard there is said once by whoever may. */
export type Listening = { readonly filter: string; readonly may: boolean }

export const listenings = (me: string): Listening[] => [
  ...AUDIENCES.map(audience => ({ filter: `heard.*.${audience}`, may: HOLDERS[audience]?.includes(me) === true })),
  ...CODES.map(code => ({ filter: `receipt.${code}`, may: code === me })),
  ...PROGRAMS.map(holder => ({ filter: `asked.${holder}.*.*`, may: holder === me })),
  // its own inbox is its own: what comes there answers its own questions
  ...PROGRAMS.filter(program => program !== me).map(program => ({ filter: `_INBOX_${program}.>`, may: false })),
  ...ORIGINS.map(origin => ({ filter: `log.${origin}.>`, may: false })),
  ...['>', '*.>', 'log.>', 'head.>', 'heard.>', 'heard.*.*', 'receipt.*', 'ask.>', 'asked.>', '_INBOX.>', '_R_.>'].map(filter => ({
    filter,
    may: false,
  })),
  ...['$JS.>', '$JS.API.>', '$JS.ACK.>', '$JS.EVENT.>', 'HUB.API.>', '$SYS.>', '$SYS.ACCOUNT.>'].map(filter => ({
    filter,
    may: false,
  })),
]

/** A request for which any answer is an effect. */
export type Request = { readonly subject: string; readonly body: string; readonly may: boolean }

const administration = (stream: string, consumer: string): readonly (readonly [string, object])[] => [
  ['INFO', {}],
  ['ACCOUNT.PURGE.x', {}],
  ['META.LEADER.STEPDOWN', {}],
  ['SERVER.REMOVE', {}],
  ['STREAM.NAMES', {}],
  ['STREAM.LIST', {}],
  [`STREAM.CREATE.${stream}`, { name: stream, subjects: ['log.>'] }],
  ['STREAM.CREATE.MINE', { name: 'MINE', subjects: ['mine.>'] }],
  [`STREAM.UPDATE.${stream}`, { name: stream, subjects: ['log.>'], deny_delete: false }],
  [`STREAM.INFO.${stream}`, {}],
  [`STREAM.DELETE.${stream}`, {}],
  [`STREAM.PURGE.${stream}`, {}],
  [`STREAM.MSG.GET.${stream}`, { seq: 1 }],
  [`STREAM.MSG.DELETE.${stream}`, { seq: 1 }],
  [`STREAM.SNAPSHOT.${stream}`, { deliver_subject: 'log.530000.entity.all' }],
  [`STREAM.RESTORE.${stream}`, { config: { name: stream } }],
  [`STREAM.PEER.REMOVE.${stream}`, { peer: 'x' }],
  [`STREAM.LEADER.STEPDOWN.${stream}`, {}],
  [`DIRECT.GET.${stream}`, { seq: 1 }],
  [`DIRECT.GET.${stream}.log.530000.entity.all`, {}],
  [`CONSUMER.NAMES.${stream}`, {}],
  [`CONSUMER.LIST.${stream}`, {}],
  [`CONSUMER.CREATE.${stream}`, { stream_name: stream, config: { ack_policy: 'none' } }],
  [`CONSUMER.CREATE.${stream}.spy`, { stream_name: stream, config: { name: 'spy', ack_policy: 'none' } }],
  [`CONSUMER.CREATE.${stream}.${consumer}`, { stream_name: stream, config: { durable_name: consumer, ack_policy: 'explicit' } }],
  [`CONSUMER.DURABLE.CREATE.${stream}.${consumer}`, { stream_name: stream, config: { durable_name: consumer } }],
  [`CONSUMER.DELETE.${stream}.${consumer}`, {}],
  [`CONSUMER.PAUSE.${stream}.${consumer}`, { pause_until: '2099-01-01T00:00:00Z' }],
  [`CONSUMER.RESET.${stream}.${consumer}`, {}],
  [`CONSUMER.UNPIN.${stream}.${consumer}`, { group: 'x' }],
  [`CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`, {}],
]

const SYSTEM = [
  '$SYS.REQ.CLAIMS.UPDATE',
  '$SYS.REQ.CLAIMS.DELETE',
  '$SYS.REQ.CLAIMS.LIST',
  '$SYS.REQ.CLAIMS.PACK',
  '$SYS.REQ.SERVER.PING',
  '$SYS.REQ.SERVER.PING.CONNZ',
  '$SYS.REQ.SERVER.PING.JSZ',
  '$SYS.REQ.SERVER.RELOAD',
  '$SYS.REQ.ACCOUNT.PING.SUBSZ',
  '$SYS.REQ.USER.INFO',
  '$SYS.REQ.KICK',
]

export const requests = (me: string): Request[] => [
  ...['$JS.API', 'HUB.API'].flatMap(prefix => [
    ...[...ORIGINS.map(origin => `LOG-${origin}`), 'HEADS'].flatMap(stream =>
      administration(stream, `READER-${me}`).map(([call, body]) => ({
        subject: `${prefix}.${call}`,
        body: JSON.stringify(body),
        may: false,
      })),
    ),
    ...ORIGINS.flatMap(origin =>
      PROGRAMS.filter(reader => reader !== origin).flatMap(reader => [
        {
          subject: `${prefix}.CONSUMER.INFO.LOG-${origin}.READER-${reader}`,
          body: '',
          may: prefix === 'HUB.API' && reader === me,
        },
        {
          subject: `${prefix}.CONSUMER.MSG.NEXT.LOG-${origin}.READER-${reader}`,
          body: JSON.stringify({ batch: 1, no_wait: true }),
          may: prefix === 'HUB.API' && reader === me,
        },
      ]),
    ),
  ]),
  ...SYSTEM.map(subject => ({ subject, body: '', may: false })),
]

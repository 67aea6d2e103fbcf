/** The members of the federation that `npm start` brings up: three provinces, a city directly under the hub, the national reader. */
import type { MemberKind } from '../../schemas/membership.ts'

export type MemberPlan = {
  readonly code: string
  readonly kind: MemberKind
  readonly zh: string
  readonly en: string
  readonly writes: readonly string[]
  readonly alliances?: readonly string[]
}

const FIELD = ['entity', 'credit', 'expert', 'trade', 'trust', 'supervision']

export const DEMO_MEMBERS: readonly MemberPlan[] = [
  { code: '530000', kind: 'province', zh: '云南', en: 'Yunnan', writes: FIELD },
  { code: '520000', kind: 'province', zh: '贵州', en: 'Guizhou', writes: FIELD },
  { code: '320000', kind: 'province', zh: '江苏', en: 'Jiangsu', writes: FIELD },
  { code: '530100', kind: 'city', zh: '昆明', en: 'Kunming', writes: FIELD },
  { code: '000000', kind: 'national', zh: '国家平台', en: 'National platform', writes: ['indicator', 'trust'] },
]

/** For what somebody reads (个人信息保护法: purpose on every use): a closed list, because free text would end up holding names. */
export const PURPOSES = {
  qualification: { zh: '资格审查', en: 'checking qualifications' },
  evaluation: { zh: '评标评审', en: 'evaluation' },
  supervision: { zh: '行政监督', en: 'supervision' },
  complaint: { zh: '投诉处理', en: 'handling a complaint' },
  inspection: { zh: '纪检监察', en: 'discipline inspection' },
  statistics: { zh: '统计', en: 'statistics' },
  service: { zh: '公共服务', en: 'public service' },
  maintenance: { zh: '运行维护', en: 'maintenance' },
} as const satisfies { readonly [name: string]: { readonly zh: string; readonly en: string } }
export type Purpose = keyof typeof PURPOSES

export const isPurpose = (text: string): text is Purpose => Object.hasOwn(PURPOSES, text)

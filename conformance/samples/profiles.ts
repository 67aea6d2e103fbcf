/** The regions whose trading systems are played: real places and their GB/T 2260 codes, trading centres, and how much each starts with. */

type Place = readonly [region: string, zh: string]

type Sizes = {
  readonly companies: number
  readonly projects: number
  readonly experts: number
  readonly violations: number
  readonly blacklist: number
}

export type Profile = {
  readonly code: string
  readonly zh: string
  readonly places: readonly [Place, ...Place[]]
  /** PLATFORM_CODE of each trading centre */
  readonly platforms: readonly [string, ...string[]]
  readonly sizes: Sizes
}

const PROVINCE: Sizes = { companies: 200, projects: 150, experts: 60, violations: 30, blacklist: 10 }
const CITY: Sizes = { companies: 80, projects: 50, experts: 24, violations: 12, blacklist: 4 }

export const PROFILES: readonly Profile[] = [
  {
    code: '530000',
    zh: '云南',
    places: [
      ['530300', '曲靖'],
      ['530400', '玉溪'],
      ['530500', '保山'],
      ['530600', '昭通'],
      ['530700', '丽江'],
      ['530800', '普洱'],
      ['530900', '临沧'],
      ['532300', '楚雄'],
      ['532500', '红河'],
      ['532600', '文山'],
      ['532900', '大理'],
    ],
    platforms: ['530000-01', '530000-02', '530000-03'],
    sizes: PROVINCE,
  },
  {
    code: '520000',
    zh: '贵州',
    places: [
      ['520100', '贵阳'],
      ['520200', '六盘水'],
      ['520300', '遵义'],
      ['520400', '安顺'],
      ['520500', '毕节'],
      ['520600', '铜仁'],
      ['522300', '黔西南'],
      ['522600', '黔东南'],
      ['522700', '黔南'],
    ],
    platforms: ['520000-01', '520000-02'],
    sizes: PROVINCE,
  },
  {
    code: '320000',
    zh: '江苏',
    places: [
      ['320100', '南京'],
      ['320200', '无锡'],
      ['320300', '徐州'],
      ['320400', '常州'],
      ['320500', '苏州'],
      ['320600', '南通'],
      ['320700', '连云港'],
      ['320800', '淮安'],
      ['320900', '盐城'],
      ['321000', '扬州'],
      ['321100', '镇江'],
      ['321200', '泰州'],
      ['321300', '宿迁'],
    ],
    platforms: ['320000-01', '320000-02', '320000-03'],
    sizes: PROVINCE,
  },
  {
    code: '530100',
    zh: '昆明',
    places: [
      ['530102', '五华'],
      ['530103', '盘龙'],
      ['530111', '官渡'],
      ['530112', '西山'],
      ['530114', '呈贡'],
      ['530181', '安宁'],
    ],
    platforms: ['530100-01', '530100-02'],
    sizes: CITY,
  },
]

#pragma once

#include <string_view>

namespace gradus::translate {

/// "[category] column | column | ..." opens a table, and each line after it is a word.
/// "[category] = a b" joins tables. "kind" and "for X" are selectional restrictions: a word goes
/// with those words of category X whose kind it lists. "be" and "was" agree with a subject.
/// Words with the same cell "same" are the same people. A space in "zh" parts a verb from its
/// object, for what comes between them: 踢足球, but 踢了一个小时足球.
constexpr std::string_view lexicon_tables = R"(
[I]       en | object | be | was | same | zh
I         | me   | am  | was  | we   | 我

[you]     en | object | be | was | zh
you       | you  | are | were | 你

[we]      en | object | be | was | same | zh
we        | us   | are | were | we   | 我们

[he]      en | object | be | was | same | zh
he        | him  | is  | was  | they | 他
she       | her  | is  | was  | they | 她

[they]    en | object | be | was | same | zh
they      | them | are | were | they | 他们

[name]    en | be | was | zh
Tom       | is | was | 汤姆
Anna      | is | was | 安娜
David     | is | was | 大卫
Mary      | is | was | 玛丽

[parents] en | be | was | same | zh
my mother          | is  | was  | parents | 我妈妈
my father          | is  | was  | parents | 我爸爸
my parents         | are | were | parents | 我父母

[others]  en | be | was | zh
my older sister    | is  | was  | 我姐姐
my younger brother | is  | was  | 我弟弟
my friends         | are | were | 我的朋友们
my neighbor        | is  | was  | 我邻居
the teacher        | is  | was  | 老师

[yours]   en | be | was | zh
your mother        | is  | was  | 你妈妈
your father        | is  | was  | 你爸爸
your friend        | is  | was  | 你朋友
your parents       | are | were | 你父母

[peer]    = I you he name
[short]   = I you we he they name
[who]     = I you we he they name parents others
[asked]   = you he they name yours
[other]   = I we he they name parents others

[past]    en | zh
yesterday           | 昨天
yesterday morning   | 昨天早上
yesterday afternoon | 昨天下午
last night          | 昨天晚上
this morning        | 今天早上
last week           | 上个星期
last weekend        | 上个周末
last Sunday         | 上个星期天

[future]  en | zh
tomorrow            | 明天
tomorrow morning    | 明天早上
tomorrow afternoon  | 明天下午
tonight             | 今天晚上
this afternoon      | 今天下午
this weekend        | 这个周末
next Sunday         | 下个星期天
next Monday         | 下个星期一

[habit]   en | zh
every day           | 每天
every morning       | 每天早上
every afternoon     | 每天下午
every evening       | 每天晚上
every weekend       | 每个周末
every week          | 每个星期
every Sunday        | 每个星期天
every Monday        | 每个星期一

[often]   en | zh
often     | 常常
always    | 总是
sometimes | 有时候
never     | 从来不

[number]  en | zh
two       | 两
three     | 三
four      | 四
five      | 五
six       | 六

[duration] en | zh
half an hour    | 半个小时
an hour         | 一个小时
two hours       | 两个小时
three hours     | 三个小时
twenty minutes  | 二十分钟
forty minutes   | 四十分钟

[where]   = place office home

[place]     en | in | for do | zh
park        | in the park         | sport outdoor stroll quiet | 公园
school      | at the school       | sport stroll quiet talk work | 学校
library     | in the library      | quiet work            | 图书馆
cafe        | in the cafe         | quiet talk work       | 咖啡馆
hotel       | in the hotel        | house tidy quiet talk work | 宾馆
restaurant  | in the restaurant   | house talk work       | 饭馆
gym         | in the gym          | sport work            | 体育馆
zoo         | at the zoo          | outdoor stroll work   | 动物园
museum      | in the museum       | outdoor work          | 博物馆
bookstore   | in the bookstore    | quiet work            | 书店
station     | at the station      | work                  | 车站
airport     | at the airport      | work                  | 机场
hospital    | in the hospital     | work                  | 医院
supermarket | in the supermarket  | work                  | 超市
bank        | in the bank         | work                  | 银行
cinema      | in the cinema       | work                  | 电影院

[office]    en | in | for do | zh
office      | in the office       | quiet talk work       | 办公室

[home]    en | in | for do | zh
home      | at home | house tidy quiet talk work | 家

[do]      en | kind | zh
play football     | sport   | 踢 足球
play basketball   | sport   | 打 篮球
run               | sport   | 跑 步
take a walk       | stroll  | 散 步
take photos       | outdoor | 拍 照
draw              | outdoor | 画 画
read books        | quiet   | 看 书
listen to music   | quiet   | 听 音乐
study Chinese     | quiet   | 学 中文
drink coffee      | talk    | 喝 咖啡
drink tea         | talk    | 喝 茶
chat              | talk    | 聊 天
play chess        | talk    | 下 棋
work              | work    | 工作
watch TV          | house   | 看 电视
cook              | house   | 做 饭
sing              | house   | 唱 歌
dance             | house   | 跳 舞
clean the room    | tidy    | 打扫 房间

[skill]   en | zh
play football     | 踢 足球
play basketball   | 打 篮球
play chess        | 下 棋
play the piano    | 弹 钢琴
run               | 跑 步
swim              | 游 泳
sing              | 唱 歌
dance             | 跳 舞
draw              | 画 画
cook              | 做 饭
speak Chinese     | 说 中文
speak English     | 说 英语
take photos       | 拍 照
drive             | 开 车

[manner]  en | zh
very well         | 很好
quite well        | 不错
extremely well    | 非常好
badly             | 很差

[rank]    en | before | after
better than       | 比 | 好
much better than  | 比 | 好得多
worse than        | 比 | 差
as well as        | 和 | 一样好

[background] en | for chore | zh
listen to music     | house desk walk | 听音乐
sing                | house walk      | 唱歌
chat                | house walk      | 聊天
watch TV            | house           | 看电视
drink tea           | desk            | 喝茶
drink coffee        | desk            | 喝咖啡

[chore]   en | kind | zh
study Chinese       | desk  | 学中文
work                | desk  | 工作
draw                | desk  | 画画
write letters       | desk  | 写信
cook                | house | 做饭
wash the dishes     | house | 洗碗
clean the room      | house | 打扫房间
take a walk         | walk  | 散步
run                 | walk  | 跑步

[contact] en | zh
call                | 打电话
write to            | 写信
send an email to    | 发邮件
cook for            | 做饭
sing for            | 唱歌
buy a present for   | 买礼物
buy flowers for     | 买花
make tea for        | 泡茶

[thing]   = clothes print paper machine vehicle tool furniture fruit animal

[clothes] en | measure | zh
shirt      | 件 | 衬衫
coat       | 件 | 大衣
sweater    | 件 | 毛衣
jacket     | 件 | 夹克
skirt      | 条 | 裙子
scarf      | 条 | 围巾
hat        | 顶 | 帽子

[print]   en | measure | zh
book       | 本 | 书
novel      | 本 | 小说
magazine   | 本 | 杂志
newspaper  | 份 | 报纸

[paper]   en | measure | zh
dictionary | 本 | 词典
ticket     | 张 | 票
map        | 张 | 地图

[machine] en | measure | zh
camera     | 台 | 照相机
computer   | 台 | 电脑
phone      | 部 | 手机
watch      | 块 | 手表

[vehicle] en | measure | zh
bicycle    | 辆 | 自行车
car        | 辆 | 汽车

[tool]    en | measure | zh
umbrella   | 把 | 雨伞
knife      | 把 | 刀
cup        | 个 | 杯子
pencil     | 支 | 铅笔

[furniture] en | measure | zh
chair      | 把 | 椅子
sofa       | 张 | 沙发
bed        | 张 | 床

[fruit]   en | measure | zh
apple      | 个 | 苹果
orange     | 个 | 橙子
pear       | 个 | 梨
watermelon | 个 | 西瓜

[animal]  en | measure | zh
dog        | 只 | 狗
cat        | 只 | 猫
bird       | 只 | 鸟
fish       | 条 | 鱼
horse      | 匹 | 马

[serving] en | measure | zh
cup of tea        | 杯 | 茶
cup of coffee     | 杯 | 咖啡
glass of milk     | 杯 | 牛奶
glass of juice    | 杯 | 果汁
bottle of water   | 瓶 | 水
bottle of beer    | 瓶 | 啤酒
bowl of rice      | 碗 | 米饭
bowl of noodles   | 碗 | 面条
bowl of soup      | 碗 | 汤
pair of shoes     | 双 | 鞋
pair of socks     | 双 | 袜子
piece of paper    | 张 | 纸

[person]  en | measure | zh
teacher    | 位 | 老师
doctor     | 位 | 医生
nurse      | 位 | 护士
engineer   | 位 | 工程师
student    | 个 | 学生
child      | 个 | 孩子
driver     | 个 | 司机
police officer | 名 | 警察

[get]     = obtain find
[gift]    = obtain choose
[verb]    = obtain find choose handle

[obtain]  en | for thing | zh
buy        | clothes print paper machine vehicle tool furniture fruit animal | 买
borrow     | print machine vehicle tool | 借

[find]    en | for thing | zh
find       | clothes print paper machine tool | 找到

[choose]  en | for thing | zh
choose     | clothes print machine vehicle tool furniture fruit | 选

[handle]  en | for thing | zh
sell       | clothes print paper machine vehicle tool furniture fruit animal | 卖
wash       | clothes vehicle fruit | 洗
read       | print | 看
draw       | vehicle fruit animal | 画
repair     | machine vehicle furniture | 修
lose       | paper tool | 丢

[finish]  en | for thing | zh
sell       | clothes print paper machine vehicle furniture tool | 卖掉
wash       | clothes vehicle fruit | 洗干净
eat        | fruit | 吃完
read       | print | 看完
repair     | machine vehicle furniture | 修好
lose       | paper tool | 弄丢
throw away | clothes print paper tool furniture fruit | 扔掉
take away  | clothes print paper machine tool furniture fruit | 拿走

[quality]   en | er | kind | for thing | zh
expensive   | more expensive | size | clothes print paper machine vehicle tool furniture fruit | 贵
cheap       | cheaper | praise | clothes print paper machine vehicle tool furniture fruit | 便宜
beautiful   | more beautiful | praise | clothes vehicle furniture animal | 漂亮
big         | bigger | size | clothes vehicle furniture fruit animal | 大
small       | smaller | size | clothes vehicle furniture fruit animal | 小
old         | older | size | clothes print machine vehicle furniture tool | 旧
interesting | more interesting | praise | print | 有意思
useful      | more useful | praise | print machine tool | 有用
light       | lighter | size | machine tool | 轻
heavy       | heavier | size | furniture | 重
comfortable | more comfortable | praise | furniture clothes | 舒服
delicious   | more delicious | praise | fruit | 好吃

[degree]  en | for quality | before | after
very      | size praise | 很   |
too       | size        | 太   | 了
really    | size praise | 真   |
not very  | size praise | 不太 |
extremely | size praise | 非常 |

[gap]     en | unit | zh
years older         | 岁   | 大
years younger       | 岁   | 小
centimeters taller  | 厘米 | 高
centimeters shorter | 厘米 | 矮
kilos heavier       | 公斤 | 重
kilos lighter       | 公斤 | 轻

[style]   en | for thing | zh
red       | clothes machine vehicle tool furniture | 红色的
blue      | clothes machine vehicle tool furniture | 蓝色的
white     | clothes machine vehicle tool furniture | 白色的
black     | clothes machine vehicle tool furniture | 黑色的
green     | clothes machine vehicle tool furniture | 绿色的
new       | clothes machine vehicle tool furniture print | 新

[this]    en | zh
this      | 这
that      | 那

[belong]  en | zh
belong    | 是
do not belong | 不是

[spot]    en | zh
on the table    | 桌子上
on the bed      | 床上
on the chair    | 椅子上
on the sofa     | 沙发上
on the floor    | 地上
in the box      | 盒子里
in the bag      | 包里
in the room     | 房间里
in the kitchen  | 厨房里
in the office   | 办公室里

[hall]    en | zh
in the classroom | 教室里
in the office    | 办公室里
in the park      | 公园里
in the hospital  | 医院里
in the museum    | 博物馆里
in the bookstore | 书店里
in the restaurant | 饭馆里
in the supermarket | 超市里
in the library   | 图书馆里
in the hotel     | 宾馆里
in the bank      | 银行里
in the cinema    | 电影院里
in the room      | 房间里

[small]   = print paper tool fruit clothes

[request] en | zh
please        | 请
do not        | 别
you can       | 你可以
you cannot    | 你不能
you should    | 你应该
you must      | 你必须

[attitude] en | zh
like to        | 喜欢
do not like to | 不喜欢
want to        | 想
do not want to | 不想
plan to        | 打算

[modal]   en | zh
can       | 可以
cannot    | 不能
should    | 应该
should not | 不应该
must      | 必须

[by]      en | zh
by bus    | 坐公共汽车
by taxi   | 坐出租车
by subway | 坐地铁
by bicycle | 骑自行车
on foot   | 走路

[weather] en | past | for do | zh
it rains           | it rained           | sport outdoor stroll | 下雨
it snows           | it snowed           | sport outdoor stroll | 下雪
it is very cold    | it was very cold    | sport outdoor stroll | 天气很冷
it is very hot     | it was very hot     | sport outdoor stroll | 天气很热
the weather is bad | the weather was bad | sport outdoor stroll | 天气不好

[event]   en | zh
arrive      | 到
come back   | 回来
come in     | 进来
leave       | 离开
wake up     | 醒来
fall asleep | 睡着

[wh]      en | zh
where     | 在哪儿
when      | 什么时候

[done]    en | zh
been to Beijing    | 去 北京
been to Shanghai   | 去 上海
been to London     | 去 伦敦
eaten dumplings    | 吃 饺子
made dumplings     | 包 饺子
drunk green tea    | 喝 绿茶
ridden a horse     | 骑 马
taken a plane      | 坐 飞机
climbed the Great Wall | 爬 长城
heard this song    | 听 这首歌
seen this film     | 看 这部电影
read this novel    | 看 这本小说
played golf        | 打 高尔夫球
used chopsticks    | 用 筷子
)";

}  // namespace gradus::translate
